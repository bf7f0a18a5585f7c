// SPDX-License-Identifier: GPL-3.0-or-later
//! The `postern` program; see [`postern::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    postern::cli::main()
}
