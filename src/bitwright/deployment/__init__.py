# SPDX-License-Identifier: Apache-2.0
"""Files that bring a design onto a board: Vivado scripts and a driver."""

from bitwright.deployment.driver import write_driver
from bitwright.deployment.folder import deploy, deploy_ip
from bitwright.deployment.vivado import write_overlay, write_vivado

__all__ = ["deploy", "deploy_ip", "write_driver", "write_overlay", "write_vivado"]
