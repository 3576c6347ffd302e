//! How runs end: each exit code that the loop decides.

use super::*;

#[tokio::test]
async fn an_answer_and_its_events() {
    let mut bench = Bench::new(json!([
        {"reasoning": "look first", "text": "I look.", "tool_calls": [
            call("file_read", json!({"target": "a"})), call("shell", json!({"command": "true"}))],
         "usage": {"input_tokens": 10, "output_tokens": 2}},
        {"text": "42", "expect": ["did a", "output"],
         "usage": {"input_tokens": 20, "output_tokens": 3}},
    ]));
    let outcome = bench.run(Task::text("what is it?")).await;
    assert_eq!((code(&outcome), outcome.text.as_str()), (0, "42"));
    assert_eq!((outcome.turns, outcome.usage.total()), (2, 35));
    assert_eq!(outcome.sandbox_level, "landlock");
    assert_eq!(outcome.model, "scripted/script");
    insta::assert_snapshot!(bench.log(), @r"
    thread.started scripted/script
    turn.started 1
    item.started item_0 reasoning ``
    item.started item_1 message ``
    item.completed item_0 reasoning `look first` Completed
    item.completed item_1 message `I look.` Completed
    item.started item_2 call file_read ``
    item.completed item_2 call file_read `did a` Completed
    item.started item_3 command `true` None
    item.completed item_3 command `true` Some(0) Completed
    turn.completed 12
    turn.started 2
    item.started item_4 message ``
    item.completed item_4 message `42` Completed
    turn.completed 23
    result Completed 0
    ");
}

#[tokio::test]
async fn every_model_error_has_its_code() {
    let cases = [
        ("authentication", 41),
        ("unreachable", 45),
        ("network_forbidden", 45),
        ("server", 46),
        ("rate_limited", 46),
        ("malformed", 46),
        ("timeout", 46),
        ("outside_builtin", 57),
        ("replay_diverged", 49),
        ("interpreter", 54),
        ("configuration", 52),
    ];
    for (kind, expected) in cases {
        let error = json!({"kind": kind, "message": "no luck", "hint": "try this"});
        let mut bench = Bench::new(json!([{ "error": error }]));
        let outcome = bench.run(Task::text("go")).await;
        assert_eq!(code(&outcome), expected, "{kind}");
        assert_eq!(
            (outcome.errors, outcome.hints),
            (vec!["no luck".into()], vec!["try this".into()])
        );
    }
}

#[tokio::test]
async fn no_answer_is_never_a_success() {
    let mut bench = Bench::new(json!([{}, {}]));
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.text.as_str(), outcome.turns), (46, "", 2));
    let mut bench = Bench::new(json!([{}, {"text": "after all"}]));
    assert_eq!(code(&bench.run(Task::text("go")).await), 0);
    let mut bench = Bench::new(json!([{"text": "half of", "stop": "max_tokens"}]));
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.text.as_str()), (46, "half of"));
    let mut bench = Bench::new(json!([{"text": "I won't", "stop": "refusal"}]));
    assert_eq!(code(&bench.run(Task::text("go")).await), 1);
}

#[tokio::test]
async fn a_schema_is_met_repaired_or_missed() {
    let task = || Task {
        output_schema: Some(json!({"type": "object", "required": ["n"]})),
        ..Task::text("count")
    };
    let mut bench = Bench::new(json!([
        {"text": "three"},
        {"text": "```json\n{\"n\": 3}\n```", "expect": "does not meet the required JSON Schema"},
    ]));
    let outcome = bench.run(task()).await;
    assert_eq!((code(&outcome), outcome.structured), (0, Some((&json!({"n": 3})).into())));
    let mut bench = Bench::new(json!([{"text": "a"}, {"text": "b"}, {"text": "c"}]));
    let outcome = bench.run(task()).await;
    assert_eq!((code(&outcome), outcome.turns, outcome.structured), (47, 3, None));
    let mut bench = Bench::new(json!([]));
    let broken = Task { output_schema: Some(json!({"type": 3})), ..Task::text("count") };
    let outcome = bench.run(broken).await;
    assert_eq!((code(&outcome), outcome.turns), (2, 0));
}

#[tokio::test]
async fn conditions_decide_after_the_answer() {
    let run = async |expect: &[&str], forbid: &[&str]| {
        let owned = |commands: &[&str]| commands.iter().map(|c| (*c).to_owned()).collect();
        let mut bench = Bench::new(json!([{"text": "done"}]));
        let task = Task { expect: owned(expect), forbid: owned(forbid), ..Task::text("go") };
        let outcome = bench.run(task).await;
        (code(&outcome), outcome.errors)
    };
    assert_eq!(run(&["true"], &["false"]).await.0, 0);
    let (broken, errors) = run(&["true", "false"], &["true"]).await;
    assert_eq!(broken, 48);
    assert_eq!(
        errors,
        [
            "`--expect false` does not hold: it ended with exit code 1",
            "`--forbid true` does not hold: it succeeded"
        ]
    );
    assert_eq!(run(&[], &["nosuch"]).await.0, 48, "a command that cannot run proves nothing");
}

#[tokio::test]
async fn conditions_are_not_checked_after_a_failure() {
    let mut bench = Bench::new(json!([{"error": {"kind": "server", "message": "no"}}]));
    let task = Task { expect: vec!["false".to_owned()], ..Task::text("go") };
    let outcome = bench.run(task).await;
    assert_eq!((code(&outcome), outcome.errors.len()), (46, 1));
    assert_eq!(bench.completed(), []);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_the_model_is_asked() {
    let mut bench = Bench::new(json!([{"text": "x"}]))
        .with(|parts| parts.approval.deny = vec!["shel(rm*)".to_owned()]);
    let outcome = bench.run(Task::text("go")).await;
    assert_eq!((code(&outcome), outcome.turns), (52, 0));
    assert_eq!(outcome.hints, ["did you mean `shell`?"]);
    let mut bench =
        Bench::new(json!([{"text": "x"}])).with(|parts| parts.limits.max_cost = Some(1.0));
    assert_eq!(code(&bench.run(Task::text("go")).await), 52);
}
