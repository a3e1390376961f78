import { type DeadLetter, type DeadLetterFilter, type DeadLetterSource, sleep } from '@oncekey/core'
import type { Call, Command } from '../../command/command.ts'
import { ExitCode } from '../../command/exit-code.ts'
import { deadLettersOf } from '../../connection/log.ts'
import { FILTER, filterOf, OF } from './filter.ts'

const { before: _, after: __, ...CHOICE } = FILTER

export const deadWatchCommand: Command = {
  path: 'dead watch',
  summary: 'Show each dead letter as it dies, until Ctrl-C',
  details: 'With --json each is a line of JSON.',
  server: 'postgres-or-redis',
  viaDashboard: true,
  endsItself: true,
  options: { ...OF, ...CHOICE },
  examples: ['dead watch --origin email', 'dead watch --of webhooks --json | jq .error'],
  run: watchDead,
}

async function watchDead(call: Call): Promise<ExitCode> {
  const { signal } = call
  const source = await deadLettersOf(call)
  const filter = filterOf(call)
  let newestAt = await newestDeath(source)
  let shown = new Set((await diedAround(source, filter, newestAt)).map(nameOf))
  while (!signal.aborted) {
    const found = await diedAround(source, filter, newestAt)
    for (const letter of found) if (!shown.has(nameOf(letter))) await show(call, letter)
    newestAt = Math.max(newestAt, ...found.map(({ deadAt }) => deadAt?.getTime() ?? 0))
    // The next query finds the last of these letters again.
    shown = new Set(found.map(nameOf))
    await sleep(LOOK_AGAIN_MS, signal)
  }
  return ExitCode.interrupted
}

async function show({ out }: Call, letter: DeadLetter): Promise<void> {
  const { id, deadAt, origin, type, subject, error } = letter
  const why = error && `${error.name}: ${error.message}`
  await out.item(letter, (page) => {
    page.line`${deadAt}  ${id}  ${origin}  ${type}  ${subject}  ${why}`
  })
}

/**
 * When the newest letter died, in Unix milliseconds by the server's clock. The clock of this
 * machine is not used, because it may be wrong.
 */
async function newestDeath(source: DeadLetterSource): Promise<number> {
  const { groups } = await source.stats()
  return Math.max(0, ...groups.map(({ newestAt }) => newestAt.getTime()))
}

/**
 * The letters that have died since a minute before that time. Letters of long transactions become
 * visible after letters that died later, and the minute is for these.
 */
async function diedAround(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  at: number,
): Promise<readonly DeadLetter[]> {
  const deadAfter = new Date(Math.max(0, at - 60_000))
  const found: DeadLetter[] = []
  let after: string | undefined
  do {
    const page = await source.list(
      { ...filter, deadAfter },
      { limit: 500, ...(after && { after }) },
    )
    found.push(...page.items)
    after = page.next
  } while (after !== undefined)
  return found
}

const nameOf = ({ id, deadAt }: DeadLetter): string => `${deadAt?.getTime()} ${id}`

const LOOK_AGAIN_MS = 2_000
