//! Case 47: archives that would unpack somewhere else, or into everything.

use std::process::Command;

use super::each;
use super::network::PYTHON;

/// Makes hostile archives in the working directory.
const MAKE: &str = r#"
import io, stat, tarfile, zipfile
def member(tar, name, data=b"evil", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(data))
def tar(name):
    return tarfile.open(name, "w")
base = "$BASE"
with tar("up.tar") as t: member(t, "../outside/new")
with tar("up-deep.tar") as t: member(t, "sub/../../outside/secret")
with tar("absolute.tar") as t: member(t, base + "/outside/secret")
with tar("link.tar") as t:
    member(t, "l", b"", type=tarfile.SYMTYPE, linkname=base + "/outside")
    member(t, "l/new")
with tar("link-file.tar") as t:
    member(t, "l", b"", type=tarfile.SYMTYPE, linkname=base + "/outside/secret")
    member(t, "l")
with tar("hard.tar") as t:
    member(t, "h", b"", type=tarfile.LNKTYPE, linkname=base + "/outside/secret")
    member(t, "h")
with tar("device.tar") as t: member(t, "device", b"", type=tarfile.BLKTYPE, devmajor=8, devminor=0)
with tar("setuid.tar") as t: member(t, "s", mode=0o6755)
with tar("git.tar") as t: member(t, ".git/hooks/pre-commit", mode=0o755)
with tar("own.tar") as t: member(t, ".agi-agent/config.json")
with zipfile.ZipFile("up.zip", "w") as z: z.writestr("../outside/new", "evil")
with zipfile.ZipFile("absolute.zip", "w") as z: z.writestr(base + "/outside/secret", "evil")
with zipfile.ZipFile("link.zip", "w") as z:
    info = zipfile.ZipInfo("l")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    z.writestr(info, base + "/outside")
    z.writestr("l/new", "evil")
with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("zeros", b"\0" * (64 << 20))
"#;

#[test]
fn case_47_an_archive_unpacks_inside_or_not_at_all() {
    each("case 47", |ground, rows| {
        let base = ground.outside().parent().unwrap().to_string_lossy().into_owned();
        ground.file("make.py", MAKE.replace("$BASE", &base));
        let status =
            Command::new(PYTHON).args(["-I", "make.py"]).current_dir(ground.work()).status();
        assert!(status.unwrap().success());
        for unpack in [
            "tar xPf up.tar",
            "tar xPf up-deep.tar",
            "tar xPf absolute.tar",
            "tar xPf link.tar",
            "tar xPf link-file.tar --overwrite",
            "tar xPf hard.tar",
            "tar xPf hard.tar --overwrite",
            "tar xPf link.tar --keep-directory-symlink",
            "unzip -qo -: up.zip",
            "unzip -qo -: absolute.zip",
            "unzip -qo link.zip",
            "$P -c 'import tarfile; tarfile.open(\"link.tar\").extractall()'",
            "$P -c 'import tarfile; tarfile.open(\"up.tar\").extractall()'",
            "$P -c 'import tarfile; tarfile.open(\"absolute.tar\").extractall()'",
        ] {
            let finished = ground.sh(&format!("rm -rf l h; {}", unpack.replace("$P", PYTHON)));
            let seen = format!("{} {}", finished.code, finished.stderr);
            rows.row(format!("{} {unpack}", ground.setting), ground.is_untouched(), &seen);
        }
        let finished = ground.sh("tar xf device.tar; test -b device");
        rows.row(format!("{} a device", ground.setting), finished.code != 0, &finished.stderr);
        let finished = ground.sh("tar xpf setuid.tar; ./s");
        rows.row(format!("{} set-user-id", ground.setting), finished.code != 0, &finished.stdout);
        for (archive, gone) in
            [("git.tar", ".git/hooks/pre-commit"), ("own.tar", ".agi-agent/config.json")]
        {
            let finished = ground.sh(&format!("tar xf {archive}"));
            let held = !ground.work().join(gone).exists();
            rows.row(format!("{} {archive}", ground.setting), held, &finished.stderr);
        }
        // The largest file of a command holds for what is unpacked too.
        let finished = ground.sh("ulimit -f 1024; unzip -qo bomb.zip");
        let size = std::fs::metadata(ground.work().join("zeros")).map_or(0, |found| found.len());
        let held = finished.code != 0 && size <= 1 << 20;
        rows.row(format!("{} a bomb", ground.setting), held, &format!("{size}"));
    });
}
