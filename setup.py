"""The one thing pyproject.toml cannot say: optional C extensions with flags that depend on the compiler.

A wheel is named after what is in it: `cp311-abi3-PLATFORM` with the compiled kernels, `py3-none-any` where they could
not be built. Everything else about the package is in pyproject.toml.
"""

import sysconfig
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

# The stable ABI of 3.11 is the first that holds the buffer protocol. Free-threaded builds have no stable ABI.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")


FILES = {"maps": "map_layers"}
"""Sources that are not called as their kernel."""
# Equals NumPy to the bit: no products fused with sums, which would round once less.
EXACT = {"_colour"}


class BuildKernel(build_ext):
    """Adds optimisation flags that only unix compilers understand; forgets the extensions that could not be built."""

    def run(self):
        super().run()
        built = [extension for extension in self.extensions if Path(self.get_ext_fullpath(extension.name)).is_file()]
        self.extensions = self.distribution.ext_modules = built

    def build_extensions(self):
        if self.compiler.compiler_type == "unix":
            for extension in self.extensions:
                extension.extra_compile_args.append("-O3")
                extension.libraries.append("m")
                if extension.name.rpartition(".")[2] in EXACT:
                    extension.extra_compile_args.append("-ffp-contract=off")
        super().build_extensions()


class NamedByContent(bdist_wheel):
    """Decides after the build, not before it, whether the wheel belongs to a platform."""

    @property
    def root_is_pure(self):
        return not self.distribution.has_ext_modules()

    @root_is_pure.setter
    def root_is_pure(self, _):
        """What setuptools decides before anything is built."""


def kernels(names, sources="src"):
    """Arguments of `setup` for some of the compiled kernels; `sources` is where the package lies."""
    return {
        "ext_modules": [
            Extension(
                f"polyfuse.ops._{name}",
                sources=[f"{sources}/polyfuse/ops/native/{FILES.get(name, name)}.c"],
                depends=glob(f"{sources}/polyfuse/ops/native/*"),
                define_macros=[("Py_LIMITED_API", "0x030B0000")] if STABLE_ABI else [],
                py_limited_api=STABLE_ABI,
                optional=True,  # no compiler: a warning, and a package that works the same, slower
            )
            for name in names
        ],
        "cmdclass": {"build_ext": BuildKernel, "bdist_wheel": NamedByContent},
        "options": {"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
    }


if __name__ == "__main__":  # runtime/setup.py imports this file
    setup(**kernels(["lzsc", "maps", "pyramid", "colour"]))
