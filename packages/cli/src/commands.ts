import type { Command } from './command/command.ts'
import { completionCommand } from './commands/completion.ts'
import { consumersCommands } from './commands/consumers.ts'
import { dashboardCommand } from './commands/dashboard.ts'
import { deadCommands } from './commands/dead/dead.ts'
import { deadEditCommand } from './commands/dead/edit.ts'
import { deadRedriveCommands } from './commands/dead/redrive.ts'
import { deadWatchCommand } from './commands/dead/watch.ts'
import { doctorCommand } from './commands/doctor.ts'
import { eventsCommands } from './commands/events.ts'
import { grantsCommand } from './commands/grants.ts'
import { initCommand } from './commands/init.ts'
import { keysCommands } from './commands/keys.ts'
import { migrateCommand } from './commands/migrate.ts'
import { operationsCommands } from './commands/operations.ts'
import { purgeCommand } from './commands/purge.ts'
import { redrivesCommands } from './commands/redrives.ts'
import { sagasCommands } from './commands/sagas.ts'
import { webhookActs } from './commands/webhook-acts.ts'
import { webhooksCommands } from './commands/webhooks.ts'

/** All verbs, in the order of `--help`. */
export const commands: readonly Command[] = [
  initCommand,
  doctorCommand,
  migrateCommand,
  grantsCommand,
  ...keysCommands,
  ...deadCommands,
  ...deadRedriveCommands,
  deadEditCommand,
  deadWatchCommand,
  ...redrivesCommands,
  ...consumersCommands,
  ...eventsCommands,
  ...webhooksCommands,
  ...webhookActs,
  ...sagasCommands,
  ...operationsCommands,
  purgeCommand,
  dashboardCommand,
  completionCommand(() => commands),
]
