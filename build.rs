//! Tells the compiler where the products of `release/build` are.
//!
//! With the feature `embedded` two variables are set for the crate:
//! `AGI_PACKED_RESOURCES`, the blob with the Python modules, and `AGI_BUILD_INFO`, a
//! JSON file that `--version --verbose` prints.  What the linker needs is passed by
//! `release/build` itself: the library is compiled once and linked twice, and a build
//! script cannot tell the two links apart.  Without the feature there is only a build
//! information that says so, and the run path of the installed Python.
//!
//! With the feature `local` the guard around llama.cpp is linked, from the folder that
//! `release/kernel-env` and `release/build` name.

#![expect(
    clippy::disallowed_methods,
    reason = "cargo and release/build speak to a build script by variables"
)]

use std::path::PathBuf;
use std::process::ExitCode;

/// Folder with `packed-resources`, set by `release/build`.
const EMBED_DIR: &str = "AGI_EMBED_DIR";
/// Path of the bill of materials, set by `release/build`.
const EMBED_INFO: &str = "AGI_EMBED_BUILD_INFO";
/// Folder with the kernels of llama.cpp, set by `release/kernel-env` and `release/build`.
const KERNEL_DIR: &str = "AGI_KERNEL_DIR";

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build.rs");
    let done = if std::env::var_os("CARGO_FEATURE_EMBEDDED").is_some() {
        embedded()
    } else {
        development()
    };
    match done.and_then(|()| kernel()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo:error={message}");
            ExitCode::FAILURE
        }
    }
}

fn embedded() -> Result<(), String> {
    for name in [EMBED_DIR, EMBED_INFO] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let resources = path_from(EMBED_DIR)?.join("packed-resources");
    let info = path_from(EMBED_INFO)?;
    for (name, path) in [("AGI_PACKED_RESOURCES", resources), ("AGI_BUILD_INFO", info)] {
        if !path.is_file() {
            return Err(format!(
                "no file `{}`: run `release/build`, it makes and names it",
                path.display()
            ));
        }
        println!("cargo:rerun-if-changed={}", path.display());
        println!("cargo:rustc-env={name}={}", path.display());
    }
    Ok(())
}

fn development() -> Result<(), String> {
    let info = path_from("OUT_DIR")?.join("build-info.json");
    std::fs::write(&info, "{\"build\":\"development\"}\n")
        .map_err(|error| format!("cannot write `{}`: {error}", info.display()))?;
    println!("cargo:rustc-env=AGI_BUILD_INFO={}", info.display());
    // An installed Python is often outside the places where the loader looks.
    pyo3_build_config::add_libpython_rpath_link_args();
    Ok(())
}

fn kernel() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed={KERNEL_DIR}");
    if std::env::var_os("CARGO_FEATURE_LOCAL").is_none() {
        return Ok(());
    }
    let folder = std::env::var_os(KERNEL_DIR).map(|folder| PathBuf::from(folder).join("lib"));
    let folder = folder.filter(|folder| folder.join("libagi_kernel.a").is_file()).ok_or(
        "the feature `local` needs compiled kernels: eval \"$(release/kernel-env)\" makes and names them",
    )?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=static=agi_kernel");
    Ok(())
}

fn path_from(name: &str) -> Result<PathBuf, String> {
    std::env::var_os(name).map(PathBuf::from).ok_or_else(|| {
        format!("`{name}` is not set: the feature `embedded` is built by `release/build`, not by cargo alone")
    })
}
