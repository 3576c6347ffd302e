//! The machine around us: sandbox, /proc, clock, proxies, certificates.

use std::time::SystemTime;

use time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;

use super::finding::Finding;
use crate::bridge;
use crate::cli::context::CommandContext;
use crate::cli::wiring;
use crate::config::settings::Settings;
use crate::network;
use crate::sandbox::NO_HOSTS;
use crate::sandbox::NetRule;
use crate::sandbox::Reach;
use crate::system::memory;

/// Nobody had this program before.
const BIRTH: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);

/// Beyond this, signatures and one-time credentials of providers are refused.
const SKEW: Duration = Duration::minutes(5);

/// Our clock against the date a model's server gave, where one answered.
pub(super) fn clock(now: OffsetDateTime, server: Option<SystemTime>) -> Finding {
    let remedy = if cfg!(target_os = "macos") {
        "sudo sntp -sS time.apple.com"
    } else if cfg!(windows) {
        "w32tm /resync"
    } else {
        "sudo timedatectl set-ntp true"
    };
    let today = now.date();
    if now < BIRTH {
        let detail = format!("it is set to {today}: certificates will not be valid yet");
        return Finding::problem("clock", detail, remedy);
    }
    let Some(server) = server.map(OffsetDateTime::from) else {
        return Finding::ok("clock", format!("{today} (not compared with any other)"));
    };
    let ahead = now - server;
    if ahead.abs() > SKEW {
        let minutes = ahead.whole_minutes().abs();
        let side = if ahead.is_positive() { "ahead of" } else { "behind" };
        let detail = format!("{minutes} minutes {side} the model's server");
        return Finding::problem("clock", detail, remedy);
    }
    Finding::ok("clock", format!("{today}, as the model's server says"))
}

pub(super) async fn sandbox(context: &CommandContext, settings: &Settings) -> Finding {
    let directory = match context.directory() {
        Ok(directory) => directory,
        Err(error) => {
            return Finding::problem("directory", error.message, "go elsewhere, or -C DIR");
        }
    };
    let level = settings.sandbox.level.as_str();
    let sandbox = match wiring::sandbox(settings, &context.places, directory) {
        Ok(sandbox) => sandbox,
        Err(error) => return Finding::problem("sandbox", error.message, "mend the setting"),
    };
    match sandbox.probe().await {
        Ok(rung)
            if matches!(sandbox.policy().net, NetRule::Hosts(_))
                && sandbox.reach(rung) == Reach::Nothing =>
        {
            let detail = format!("{level}, held by {}; commands have no network", rung.as_str());
            Finding::note("sandbox", detail, NO_HOSTS)
        }
        Ok(rung) => Finding::ok("sandbox", format!("{level}, held by {}", rung.as_str())),
        Err(error) => Finding::problem(
            "sandbox",
            format!("{level} cannot be had here: {error}"),
            "commands end 44; see docs/sandbox.md, or `--sandbox danger-full-access`",
        ),
    }
}

/// What degrades without /proc: our own file is found by its name only, descendants cannot be listed.
pub(super) fn system() -> Finding {
    let proc_is_there = std::path::Path::new("/proc/self/exe").exists();
    system_with(proc_is_there || !cfg!(target_os = "linux"))
}

fn system_with(proc_is_there: bool) -> Finding {
    if proc_is_there {
        let detail = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        return Finding::ok("system", detail);
    }
    Finding::note(
        "system",
        "/proc is not mounted: commands are held without namespaces, and this program finds its own file \
         (for python_exec, appended models) only by the name it was started under",
        "mount -t proc proc /proc",
    )
}

/// Which of the compiled kernels local models run on, and what they can use of the machine.
pub(super) fn kernel() -> Finding {
    let Some(kernel) = bridge::kernel() else {
        return Finding::note(
            "kernel",
            "this build has no kernel for local models",
            "use a released file, or build with the feature `local`",
        );
    };
    let instructions = match kernel.as_str() {
        "icelake" => "AVX-512",
        "haswell" => "AVX2",
        _ => "SSE4.2",
    };
    let cores = memory::cores();
    let memory = memory::available()
        .map_or_else(String::new, |bytes| format!(", {} MB of memory free", bytes / 1_000_000));
    Finding::ok("kernel", format!("{kernel} ({instructions}), {cores} cores{memory}"))
}

/// Every proxy that is set, and whether somebody listens there.
pub(super) async fn proxies(settings: &Settings) -> Vec<Finding> {
    if settings.network.offline {
        return vec![Finding::ok("proxy", "not used (offline)")];
    }
    let findings: Vec<_> = network::reach_proxies(&settings.network)
        .await
        .into_iter()
        .map(|(variable, reached)| match reached {
            Ok(proxy) => Finding::ok("proxy", format!("{variable}: `{proxy}` answers")),
            Err(error) => Finding::problem(
                "proxy",
                format!("{variable}: {error}"),
                format!("unset {variable}, or set it to http://HOST:PORT"),
            ),
        })
        .collect();
    if findings.is_empty() { vec![Finding::ok("proxy", "none")] } else { findings }
}

pub(super) fn certificates(settings: &Settings) -> Finding {
    match network::trusted_certificates(&settings.network) {
        Ok(count) => Finding::ok("certificates", format!("{count} authorities")),
        Err(error) => Finding::problem(
            "certificates",
            format!("https will fail: {error}"),
            "install ca-certificates, or set SSL_CERT_FILE or --ca",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;

    #[test]
    fn a_missing_proc_is_noted_with_the_command() {
        assert_eq!(system_with(true).grade, Grade::Ok);
        let missing = system_with(false);
        assert_eq!(missing.grade, Grade::Note);
        assert_eq!(missing.remedy.as_deref(), Some("mount -t proc proc /proc"));
    }

    #[test]
    fn a_clock_is_judged_by_the_server_and_by_our_age() {
        let now = datetime!(2026-11-22 12:00 UTC);
        let server = |at: OffsetDateTime| Some(SystemTime::from(at));
        let grade = |now, server| clock(now, server).grade;
        assert_eq!(grade(now, None), Grade::Ok);
        assert_eq!(grade(now, server(now - Duration::minutes(4))), Grade::Ok);
        let behind = clock(now, server(now + Duration::minutes(90)));
        assert_eq!(behind.grade, Grade::Problem);
        assert_eq!(behind.detail, "90 minutes behind the model's server");
        assert!(clock(now, server(now - SKEW * 2)).detail.contains("ahead of"));
        let reset = clock(datetime!(1970-01-01 00:00 UTC), None);
        assert_eq!(reset.grade, Grade::Problem);
        assert!(reset.remedy.is_some());
    }
}
