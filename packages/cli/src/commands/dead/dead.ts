import type { DeadLetterSource } from '@oncekey/core'
import { deadLetters } from '@oncekey/outbox'
import { CliError, usageError } from '../../command/cli-error.ts'
import type { Call, Command } from '../../command/command.ts'
import { PAGE } from '../../command/common-options.ts'
import { ExitCode } from '../../command/exit-code.ts'
import { pageOf, tellNext } from '../../command/paging.ts'
import { askSources, deadLettersOf, sourceNames } from '../../connection/log.ts'
import { jsonValue } from '../../output/json.ts'
import { shownDuration } from '../../output/page.ts'
import { visibleJson } from '../../output/visible.ts'
import { remoteData } from '../../remote/dead-letters.ts'
import { FILTER, filterOf, OF } from './filter.ts'
import { letterRow, showLetter, showNotShown, showRefused } from './shown-letter.ts'

export const deadCommands: readonly Command[] = [
  {
    path: 'dead list',
    summary: 'List dead letters, the oldest first',
    server: 'postgres-or-redis',
    viaDashboard: true,
    options: {
      ...OF,
      ...FILTER,
      retrying: { help: 'Those instead that have failed and are tried again by themselves.' },
      retired: { help: 'Those instead that were kept of consumers that were retired.' },
      ...PAGE,
    },
    examples: ['dead list --origin email --after 2h'],
    run: listDead,
  },
  {
    path: 'dead show',
    summary: 'Show a dead letter with its event and every attempt',
    server: 'postgres-or-redis',
    viaDashboard: true,
    operands: [{ name: 'id' }],
    options: { ...OF, data: { help: 'Only its data, as it is, to be edited.' } },
    examples: ['dead show 17', 'dead show order-1 --of sagas', 'dead show 17 --data > data.json'],
    run: showDead,
  },
  {
    path: 'dead groups',
    summary: 'Count dead letters by what they died of',
    server: 'postgres-or-redis',
    viaDashboard: true,
    options: {
      of: { value: 'source', choices: sourceNames, help: 'Whose. Default: all that there are.' },
    },
    examples: ['dead groups'],
    run: groupDead,
  },
  {
    path: 'dead discard',
    summary: 'Mark dead letters as never to be delivered',
    details: 'Note and actor are kept with the letter.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'id', many: true }],
    options: OF,
    examples: ["dead discard 17 18 --note 'the customer closed the account' --yes"],
    run: discardDead,
  },
]

async function listDead(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const source = deadLetters(await deadLettersOf(call))
  const isRetrying = given.flag('retrying')
  const isRetired = given.flag('retired')
  const filter = { ...filterOf(call), ...(isRetired && { retired: true }) }
  if (isRetrying && isRetired) throw usageError('--retrying and --retired: write one of them.')
  if (isRetrying && ONLY_DEAD.some((name) => given.list(name).length > 0)) {
    throw usageError('--retrying goes with --origin, --type and --subject only.')
  }
  const page = isRetrying
    ? await source.retrying(filter, pageOf(given))
    : await source.list(filter, pageOf(given))
  await out.result(page, (text) => {
    if (page.items.length === 0 && page.next !== undefined) {
      text.line`None of those that were looked at is like these.`
    } else if (page.items.length === 0) text.line`There are none.`
    else {
      const when = isRetrying ? 'next try' : 'died'
      text.table(
        ['id', when, 'origin', 'type', 'subject', 'tries', 'reason', 'error'],
        page.items.map((letter) => letterRow(letter, isRetrying)),
      )
    }
    tellNext(text, page.next)
  })
  return ExitCode.done
}

async function showDead(call: Call): Promise<ExitCode> {
  const id = call.given.operand('id')
  if (call.given.flag('data')) return await showData(call, id)
  const letter = await (await deadLettersOf(call)).get(id)
  if (letter === undefined) throw absent(call, id)
  await call.out.result({ ...letter, data: jsonValue(letter.data) }, (page) =>
    showLetter(page, letter),
  )
  return ExitCode.done
}

async function showData(call: Call, id: string): Promise<ExitCode> {
  const api = call.dashboard()
  const data =
    api === undefined
      ? (await (await deadLettersOf(call)).get(id))?.data
      : await remoteData(api, nameOf(call), id)
  if (data === undefined) throw absent(call, id)
  await call.out.raw(`${visibleJson(data)}\n`)
  return ExitCode.done
}

function absent(call: Call, id: string): CliError {
  return new CliError(
    ExitCode.found,
    `There is no dead letter ${id} of ${nameOf(call)}: --of says whose it is.`,
  )
}

function nameOf({ given }: Call): string {
  return given.text('of') ?? 'consumers'
}

async function groupDead(call: Call): Promise<ExitCode> {
  const { answers, notShown } = await askSources(call, (source) => source.stats())
  if (answers.length === 0) {
    throw new CliError(
      ExitCode.found,
      `This dashboard does not show the dead letters of ${notShown.join(', ')}.`,
    )
  }
  const stats = answers.map(({ of, answer }) => ({ of, ...answer }))
  const rows = stats.flatMap(({ of, groups }) =>
    groups.map(({ origin, count, newestAt, fingerprint, sample }) => [
      of,
      origin,
      count,
      newestAt,
      fingerprint,
      sample.id,
      `${sample.name}: ${sample.message}`,
    ]),
  )
  const document = { sources: stats, ...(notShown.length > 0 && { notShown }) }
  await call.out.result(document, (page) => {
    const shown = stats.map(({ of }) => of).join(' and ')
    if (rows.length === 0 && notShown.length > 0) page.line`There are no dead letters of ${shown}.`
    else if (rows.length === 0) page.line`There are no dead letters.`
    else page.table(['of', 'origin', 'count', 'newest', 'kind', 'one of them', 'error'], rows)
    for (const { of, depth, oldestAgeMs, arrivedPerMinute, drainedPerMinute } of stats) {
      if (depth === 0) continue
      page.line`${of}: ${depth}, the oldest ${shownDuration(oldestAgeMs)} old; ${arrivedPerMinute.toFixed(1)} arrived and ${drainedPerMinute.toFixed(1)} left a minute in the last hour`
    }
    showNotShown(page, notShown)
  })
  return ExitCode.done
}

async function discardDead(call: Call): Promise<ExitCode> {
  const ids = call.given.operands('id')
  const act = call.act()
  const source: DeadLetterSource = await deadLettersOf(call)
  await call.confirm(
    `${ids.length} dead letters of ${source.name} are never delivered: ${ids.join(', ')}.`,
    ids.length === 1 ? (ids[0] ?? '') : String(ids.length),
  )
  const results = await deadLetters(source).discard(ids, act)
  const refused = results.filter(({ outcome }) => outcome !== 'discarded')
  await call.out.result({ of: source.name, ...call.onRecord(), results }, (page) => {
    page.line`${results.length - refused.length} discarded.`
    showRefused(page, refused)
  })
  return refused.length === 0 ? ExitCode.done : ExitCode.found
}

const ONLY_DEAD = ['reason', 'kind', 'event', 'after', 'before']
