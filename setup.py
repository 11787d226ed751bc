"""The one thing pyproject.toml cannot say: optional C extensions with flags that depend on the compiler.

Everything else about the package is in pyproject.toml.
"""

import sysconfig
from glob import glob

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

# The stable ABI of 3.11 is the first that holds the buffer protocol. Free-threaded builds have no stable ABI.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")


class BuildKernel(build_ext):
    """Adds optimisation flags that only unix compilers understand."""

    def build_extensions(self):
        if self.compiler.compiler_type == "unix":
            for extension in self.extensions:
                extension.extra_compile_args.append("-O3")
                extension.libraries.append("m")
        super().build_extensions()


setup(
    ext_modules=[
        Extension(
            f"polyfuse.ops._{name}",
            sources=[f"src/polyfuse/ops/native/{source}.c"],
            depends=glob("src/polyfuse/ops/native/*"),
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else [],
            py_limited_api=STABLE_ABI,
            optional=True,  # no compiler: a warning, and a package that works the same, slower
        )
        for name, source in (("lzsc", "lzsc"), ("maps", "map_layers"))
    ],
    cmdclass={"build_ext": BuildKernel},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
