# Packs the standard library, the bundled packages and `agi_agent` into one blob of
# resources, and CPython's objects into one libpython. `release/build` calls this with
# the paths of the static distribution it made; it is not meant to be run by hand.


def make_distribution():
    return PythonDistribution(
        sha256 = VARS["distribution_sha256"],
        local_path = VARS["distribution"],
    )


def make_executable(distribution):
    policy = distribution.make_python_packaging_policy()
    policy.extension_module_filter = "all"
    policy.resources_location = "in-memory"
    policy.include_test = False

    # Without the sources PyOxidizer makes no bytecode of the standard library; the
    # sources are dropped when release/build rewrites the resources.
    policy.include_distribution_sources = True
    policy.include_non_distribution_sources = True
    policy.include_distribution_resources = False
    policy.bytecode_optimize_level_zero = True

    executable = distribution.to_python_executable(
        name = "agi-agent",
        packaging_policy = policy,
        config = distribution.make_python_interpreter_config(),
    )

    # Packages are listed by the caller: installing with PyOxidizer's own pip support
    # needs distutils, which Python 3.12 dropped.
    for resource in executable.read_package_root(
        path = VARS["site"],
        packages = VARS["packages"].split(","),
    ):
        executable.add_python_resource(resource)
    return executable


def make_resources(executable):
    return executable.to_embedded_resources()


register_target("distribution", make_distribution)
register_target("executable", make_executable, depends = ["distribution"])
register_target("resources", make_resources, depends = ["executable"], default = True)
resolve_targets()
