//! The cloud port on Azure. The only crate that names the Azure SDK.
