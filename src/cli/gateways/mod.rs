// SPDX-License-Identifier: GPL-3.0-or-later
//! `postern gateways`: what is known of each gateway, from where, and how fresh it is.

mod export;
