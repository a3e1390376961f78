import type { Keys, Operations, Store } from '@oncekey/core'
import { CliError } from '../command/cli-error.ts'
import type { Call } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { remoteKeys, remoteOperations } from '../remote/keys.ts'

/** The keys and the audit trail on the server that was named. */
export async function storeOf(
  call: Call,
): Promise<{ readonly keys: Keys; readonly operations: Operations }> {
  const api = call.dashboard()
  if (api !== undefined) return { keys: remoteKeys(api), operations: remoteOperations(api) }
  const { keys, operations } = await named(call)
  if (keys !== undefined && operations !== undefined) return { keys, operations }
  throw new CliError(
    ExitCode.found,
    'This store cannot show its keys: name a database with --database instead.',
  )
}

async function named(call: Call): Promise<Store<never>> {
  if (call.server() === 'postgres') {
    const { postgresStore } = await import('@oncekey/postgres')
    return postgresStore({ client: call.postgres(), schema: call.schema }) as Store<never>
  }
  const { redisStore } = await import('@oncekey/redis')
  return redisStore({ client: call.redis() })
}
