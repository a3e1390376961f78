import type { DeadLetterSource } from '@oncekey/core'
import type { Call } from '../command/command.ts'
import { sagasOf } from './sagas.ts'
import { webhooksOf } from './webhooks.ts'

/** The sources of dead letters, of all packages that have tables in the schema. */
export async function deadLetterSources(
  call: Call,
  packages: ReadonlySet<string>,
): Promise<DeadLetterSource[]> {
  const { postgresLog } = await import('@oncekey/postgres')
  const sources = [postgresLog({ client: call.postgres(), schema: call.schema }).deadLetters]
  if (packages.has('webhooks')) {
    sources.push((await webhooksOf(call)).deadLetters)
  }
  if (packages.has('saga')) {
    sources.push((await sagasOf(call)).deadLetters)
  }
  return sources
}
