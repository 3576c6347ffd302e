//! Recordings of model traffic: a file of any content is read or refused, what is read is written as
//! it was, and an answer comes only for the request that was recorded.

use agi_agent::config::places::Here;
use agi_agent::network::HttpRequest;
use agi_agent::network::Method;
use agi_agent::network::Purpose;
use agi_agent::network::record::Exchange;
use agi_agent::network::replay::Replayer;
use serde_json::Value;
use serde_json::json;
use url::Url;

/// The whole input is one file of a recording.
pub fn judge(data: &[u8]) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("0001.json"), data).expect("a file");
    let Ok(replayer) = Replayer::open(directory.path(), &Here::default()) else { return };
    let was: Value = serde_json::from_slice(data).expect("what was read is JSON");
    let exchange: Exchange = serde_json::from_slice(data).expect("what was read is an exchange");
    let again = serde_json::to_string(&exchange).expect("it is data");
    assert_eq!(serde_json::from_str::<Exchange>(&again).expect("and stays so"), exchange);

    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let request = HttpRequest {
        method: Method::Post,
        url: "http://localhost/v1/chat/completions".to_owned(),
        headers: Vec::new(),
        body: body.to_string().into_bytes().into(),
        purpose: Purpose::Model,
    };
    let url = Url::parse(&request.url).expect("a URL");
    if let Ok(answer) = replayer.answer(&request, &url) {
        assert_eq!(was["request"]["method"], "POST");
        assert_eq!(was["request"]["path"], url.path());
        assert_eq!(was["request"]["body"], body);
        assert_eq!(was["response"]["status"], answer.status);
    }
    // It has been played.
    assert!(replayer.answer(&request, &url).is_err());
}
