//! Tests of compaction: what must survive, and that no call is ever parted from its result.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::protocol::ToolCall;
use crate::protocol::ToolResult;

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "shell".to_owned(),
        arguments: "{\"command\":\"ls\"}".to_owned(),
    })
}

fn result(id: &str, bytes: usize) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: "shell".to_owned(),
        text: "x".repeat(bytes),
        data: Some(serde_json::json!({"stdout": "x"})),
        is_error: false,
        origin: None,
    })
}

/// A request, then one turn per entry with so many calls of so many result bytes each.
fn conversation(request: &str, turns: &[(usize, usize)]) -> Vec<Message> {
    let mut messages = vec![Message::text(Role::User, request)];
    for (turn, (calls, bytes)) in turns.iter().enumerate() {
        let ids: Vec<String> = (0..*calls).map(|n| format!("{turn}_{n}")).collect();
        let mut parts = vec![Part::Text { text: format!("turn {turn}") }];
        parts.extend(ids.iter().map(|id| call(id)));
        messages.push(Message { role: Role::Assistant, parts });
        if !ids.is_empty() {
            let parts = ids.iter().map(|id| result(id, *bytes)).collect();
            messages.push(Message { role: Role::Tool, parts });
        }
    }
    messages
}

/// Each result answers a call of the message right before it, and each call is answered there.
fn is_well_formed(messages: &[Message]) -> bool {
    let ids = |message: &Message| -> HashSet<String> {
        message.tool_calls().map(|call| call.id.clone()).collect()
    };
    messages.iter().enumerate().all(|(index, message)| match message.role {
        Role::Tool => {
            let answered: HashSet<String> = message
                .parts
                .iter()
                .filter_map(|part| match part {
                    Part::ToolResult(result) => Some(result.call_id.clone()),
                    _ => None,
                })
                .collect();
            index > 0 && ids(&messages[index - 1]) == answered
        }
        _ => {
            ids(message).is_empty()
                || messages.get(index + 1).is_some_and(|next| next.role == Role::Tool)
        }
    })
}

fn compacted(messages: &[Message], target: u64) -> Option<Vec<Message>> {
    match plan(messages, target) {
        Plan::Shortened(messages) => Some(messages),
        Plan::Summarise(split) => {
            let summary = digest(&split.removed);
            Some(split.join(&summary))
        }
        Plan::Impossible => None,
    }
}

#[test]
fn old_results_are_cut_before_anything_is_removed() {
    let messages = conversation("do it", &[(1, 40_000), (1, 100), (1, 100), (1, 100)]);
    let Plan::Shortened(shortened) = plan(&messages, 2_000) else {
        panic!("expected cutting only")
    };
    assert_eq!(shortened.len(), messages.len());
    let Part::ToolResult(first) = &shortened[2].parts[0] else { panic!("a result") };
    assert!(first.text.contains("39000 bytes, 0 lines left out"), "{}", first.text);
    assert_eq!(first.data, None);
}

#[test]
fn the_request_survives_word_for_word_and_the_rest_becomes_a_summary() {
    let messages = conversation("count the apples in `a b.txt`", &[(2, 900); 30]);
    let split = match plan(&messages, 4_000) {
        Plan::Summarise(split) => split,
        other => panic!("expected a summary, not {other:?}"),
    };
    let joined = split.join("apples: 3 so far");
    assert!(joined[0].plain_text().starts_with(SUMMARY_MARK));
    assert!(joined[0].plain_text().contains("apples: 3 so far"));
    assert!(joined[0].plain_text().ends_with("count the apples in `a b.txt`"));
    assert_eq!(joined.last(), messages.last());
    assert!(is_well_formed(&joined));
    // A second compaction does not pile up summaries.
    let mut longer = joined;
    longer.extend(conversation("", &[(2, 900); 30]).into_iter().skip(1));
    let again = compacted(&longer, 4_000).unwrap();
    let marks = again.iter().filter(|message| message.plain_text().contains(SUMMARY_MARK)).count();
    assert_eq!(marks, 1);
    assert!(again[0].plain_text().ends_with("count the apples in `a b.txt`"));
}

#[test]
fn one_huge_turn_is_cut_and_one_huge_request_is_refused() {
    let messages = conversation("do it", &[(3, 400_000)]);
    let small = compacted(&messages, 2_000).unwrap();
    assert!(estimate(&small) <= 2_000, "{}", estimate(&small));
    let messages = conversation(&"x".repeat(100_000), &[(1, 10)]);
    assert_eq!(plan(&messages, 2_000), Plan::Impossible);
}

#[test]
fn a_digest_says_what_was_done() {
    let messages = conversation("count", &[(1, 10)]);
    assert_eq!(
        digest(&messages),
        "person: count\nagent: turn 0\ncalled: shell {\"command\":\"ls\"}\nresult: xxxxxxxxxx\n"
    );
}

#[test]
fn a_summary_request_stays_in_its_bound() {
    let messages = conversation("count", &[(1, 900); 200]);
    let request = summary_request(&messages, 1_000);
    assert!(estimate(&request.messages) <= 1_020);
    assert!(request.tools.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn pairs_stay_together_and_the_target_is_met(
        turns in prop::collection::vec((0_usize..4, 0_usize..6_000), 1..40),
        target in 600_u64..20_000,
    ) {
        let messages = conversation("the task", &turns);
        prop_assume!(is_well_formed(&messages));
        if let Some(small) = compacted(&messages, target) {
            prop_assert!(is_well_formed(&small));
            let said = small.iter().any(|message| message.plain_text().contains("the task"));
            prop_assert!(said, "the request is gone");
            let last = |messages: &[Message]| messages.last().map(|message| message.role);
            prop_assert_eq!(last(&small), last(&messages));
            // The digest is bounded apart from the target.
            prop_assert!(estimate(&small) <= target.max(estimate(&messages).min(target)) + 1_600);
        } else {
            prop_assert!(estimate(&messages) > target);
        }
    }
}
