import type { DeadLetterSource, EventLog } from '@oncekey/core'
import { CliError, NotShown, usageError } from '../command/cli-error.ts'
import type { Call } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { remoteDeadLetters } from '../remote/dead-letters.ts'
import { deadLetterSources } from './dead-letter-sources.ts'
import { sagasOf } from './sagas.ts'
import { webhooksOf } from './webhooks.ts'

/** The log on the server that was named. */
export async function logOf(call: Call): Promise<EventLog<never>> {
  if (call.server() === 'postgres') {
    const { postgresLog } = await import('@oncekey/postgres')
    return postgresLog({ client: call.postgres(), schema: call.schema }) as EventLog<never>
  }
  const { redisLog } = await import('@oncekey/redis')
  return redisLog({ client: call.redis() })
}

export const sourceNames = ['consumers', 'webhooks', 'sagas'] as const

/** The source of dead letters that `--of` names; without `--of`, that of consumers. */
export async function deadLettersOf(call: Call): Promise<DeadLetterSource> {
  const name = (call.given.has('of') ? call.given.text('of') : undefined) ?? 'consumers'
  const api = call.dashboard()
  if (api !== undefined) return remoteDeadLetters(api, name, () => call.act().note)
  return await sourceNamed(call, name)
}

/** What the sources of dead letters have answered. */
export interface Asked<Answer> {
  readonly answers: readonly { readonly of: string; readonly answer: Answer }[]
  /** The sources that the dashboard does not show. Nothing is known of what they have. */
  readonly notShown: readonly string[]
}

/** Asks the source that `--of` names, or all of them, one after the other. */
export async function askSources<Answer>(
  call: Call,
  ask: (source: DeadLetterSource) => Promise<Answer>,
): Promise<Asked<Answer>> {
  const answers: { of: string; answer: Answer }[] = []
  const notShown: string[] = []
  for (const source of await everyDeadLetters(call)) {
    try {
      answers.push({ of: source.name, answer: await ask(source) })
    } catch (error) {
      if (!(error instanceof NotShown)) throw error
      notShown.push(source.name)
    }
  }
  return { answers, notShown }
}

async function everyDeadLetters(call: Call): Promise<DeadLetterSource[]> {
  const name = call.given.has('of') ? call.given.text('of') : undefined
  const api = call.dashboard()
  if (name === undefined && api !== undefined) {
    return sourceNames.map((each) => remoteDeadLetters(api, each, () => call.act().note))
  }
  if (name !== undefined || call.server() === 'redis') return [await deadLettersOf(call)]
  const { migratedVersions } = await import('@oncekey/postgres/client')
  const versions = await migratedVersions(call.postgres(), { schema: call.schema })
  if (versions === undefined) {
    throw new CliError(
      ExitCode.found,
      `There is no schema ${call.schema} of Oncekey in this database: run oncekey migrate, or name the right one.`,
    )
  }
  return await deadLetterSources(call, new Set(versions.keys()))
}

async function sourceNamed(call: Call, name: string): Promise<DeadLetterSource> {
  if (name === 'consumers') return (await logOf(call)).deadLetters
  if (call.server() === 'redis') {
    throw usageError(`--of ${name}: they are in PostgreSQL, name it with --database.`)
  }
  if (name === 'webhooks') {
    return (await webhooksOf(call)).deadLetters
  }
  return (await sagasOf(call)).deadLetters
}
