//! A simulator of Azure Resource Manager.
