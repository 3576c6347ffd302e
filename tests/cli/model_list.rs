//! `model list`: what cannot be read is named with the reason. What can be is in `local_models`.

#![cfg(unix)]

use serde_json::json;

use crate::local_models::json_of;
use crate::support::TestContext;

#[test]
fn files_that_cannot_be_read_are_listed_with_the_reason() {
    let context = TestContext::new();
    let models = context.data().join("models");
    std::fs::create_dir_all(models.join("author")).unwrap();
    let no_architecture = [&b"GGUF\x03\0\0\0"[..], &[0; 16]].concat();
    let files: [(&str, &[u8], &str); 5] = [
        ("author/garbage", b"no model at all", "it does not begin with `GGUF`"),
        ("cut", b"GGUF\x03\0\0\0\x01", "it ends within the header"),
        ("empty", b"", "it ends within the header"),
        ("later", b"GGUF\x63\0\0\0", "version 99 is not known"),
        ("nameless", &no_architecture, "no key `general.architecture`"),
    ];
    for (name, bytes, _) in files {
        std::fs::write(models.join(format!("{name}.gguf")), bytes).unwrap();
    }
    let listed = context.run(["model", "list", "--model", "local"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    let rows = json_of(&context.run(["model", "list", "--model", "local", "--json"]));
    for (name, _, reason) in files {
        let path = models.join(format!("{name}.gguf"));
        let said = format!("`{}` is not a usable GGUF file: {reason}", path.display());
        assert!(listed.stderr.contains(&format!("warning: {said}\n")), "{}", listed.stderr);
        let name = json!(format!("local/{name}"));
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        assert_eq!((&row["unreadable"], &row["source"]), (&json!(said), &json!(path)));
    }
}

#[test]
fn directories_that_cannot_be_read_are_named() {
    let context = TestContext::new();
    let author = context.data().join("models/author");
    std::fs::create_dir_all(&author).unwrap();
    // Who runs as root may read everything; what is no directory at all nobody can read.
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(&author, closed).unwrap();
    let rooted = std::fs::read_dir(&author).is_ok();
    let listed = context.run(["model", "list", "--model", "local"]);
    let said = format!("warning: directory of models `{}` cannot be read: ", author.display());
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert_eq!(listed.stderr.contains(&said), !rooted, "{}", listed.stderr);
    let file = context.write("no-directory", "");
    let elsewhere = format!("model.local.directory={}", file.display());
    let listed = context.run(["model", "list", "--model", "local", "-c", &elsewhere]);
    let said = format!("warning: directory of models `{}` cannot be read: ", file.display());
    assert!(listed.stderr.contains(&said), "{}", listed.stderr);
    let row = context.run(["model", "list", "--model", "local", "--json", "-c", &elsewhere]);
    let told = format!("{}", file.display());
    assert!(row.stdout.contains(&told) && row.stdout.contains("unreadable"), "{}", row.stdout);
}
