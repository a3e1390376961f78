import type { DeadLetterFilter, DeadLetterSource } from '@oncekey/core'
import { deadLetters } from '@oncekey/outbox'
import { CliError, usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import type { Option } from '../command/option.ts'
import { pageOf, tellNext } from '../command/paging.ts'
import { deadLettersOf, everyDeadLetters, sourceNames } from '../connection/log.ts'
import { jsonValue } from '../output/json.ts'
import { shownDuration } from '../output/page.ts'
import { visibleJson } from '../output/visible.ts'
import { redriveThroughDashboard } from '../remote/redrive-through-dashboard.ts'
import { letterRow, showLetter, showRefused } from './shown-dead-letter.ts'

const OF: Readonly<Record<string, Option>> = {
  of: { value: 'source', choices: sourceNames, help: 'Whose dead letters. Default: consumers.' },
}

const reasons = ['permanent', 'exhausted', 'poison', 'unwanted'] as const

const FILTER: Readonly<Record<string, Option>> = {
  origin: { value: 'name', help: 'Only of this consumer, endpoint or saga.' },
  type: { value: 'type', help: 'Only events of this type.' },
  subject: { value: 'text', help: 'Only events about this subject.' },
  reason: { value: 'reason', choices: reasons, help: 'Only those that died so.' },
  kind: { value: 'text', help: 'Only this kind of error: its fingerprint in dead groups.' },
  event: { value: 'id', many: true, help: 'Only of this event.' },
  after: { value: 'time', help: 'Only those that died after then: a time, or so long ago.' },
  before: { value: 'time', help: 'Only those that died before then.' },
}

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
    path: 'dead redrive',
    summary: 'Have dead letters delivered again, with the event ids they had',
    details:
      'It needs ids, a filter or --all, and goes at a rate. Ctrl-C stops it between two portions; what was put\n' +
      'back stays so. Who and why are on record with PostgreSQL; with Redis they are only printed.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    endsItself: true,
    operands: [{ name: 'id', optional: true, many: true }],
    options: {
      ...OF,
      ...FILTER,
      all: { help: 'All of them.' },
      preview: { help: 'Only say how many that would be, and show some.' },
      rate: { value: 'count', help: 'How many in a second. Default: 50.' },
      limit: { value: 'count', help: 'How many at most. Default: all that match.' },
    },
    examples: [
      'dead redrive --origin email --after 2h --preview',
      "dead redrive --origin email --after 2h --rate 20 --note 'the mail server is back' --yes",
    ],
    run: redriveDead,
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
    if (page.items.length === 0) text.line`There are none.`
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
  const letter = await (await deadLettersOf(call)).get(id)
  if (letter === undefined) {
    throw new CliError(
      ExitCode.found,
      `There is no dead letter ${id} of ${call.given.text('of') ?? 'consumers'}: --of says whose it is.`,
    )
  }
  if (call.given.flag('data')) {
    await call.out.raw(`${visibleJson(letter.data)}\n`)
    return ExitCode.done
  }
  await call.out.result({ ...letter, data: jsonValue(letter.data) }, (page) =>
    showLetter(page, letter),
  )
  return ExitCode.done
}

async function groupDead(call: Call): Promise<ExitCode> {
  const sources = await everyDeadLetters(call)
  const stats = await Promise.all(
    sources.map(async (source) => ({ of: source.name, ...(await source.stats()) })),
  )
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
  await call.out.result({ sources: stats }, (page) => {
    if (rows.length === 0) page.line`There are no dead letters.`
    else page.table(['of', 'origin', 'count', 'newest', 'kind', 'one of them', 'error'], rows)
    for (const { of, depth, oldestAgeMs, arrivedPerMinute, drainedPerMinute } of stats) {
      if (depth === 0) continue
      page.line`${of}: ${depth}, the oldest ${shownDuration(oldestAgeMs)} old; ${arrivedPerMinute.toFixed(1)} arrived and ${drainedPerMinute.toFixed(1)} left a minute in the last hour`
    }
  })
  return ExitCode.done
}

async function redriveDead(call: Call): Promise<ExitCode> {
  const { given, out, signal } = call
  const filter = filterOf(call)
  const isPreview = given.flag('preview')
  if (Object.keys(filter).length === 0 && !given.flag('all')) {
    throw usageError('Which of them? Write ids, a filter such as --origin, or --all.')
  }
  if (Object.keys(filter).length > 0 && given.flag('all')) {
    throw usageError('--all is all of them: write it without ids and filters.')
  }
  const act = isPreview ? undefined : call.act()
  const rate = given.whole('rate', 1, 100_000) ?? 50
  const limit = given.whole('limit', 1, 1_000_000_000)
  const found = await deadLettersOf(call)
  const source = deadLetters(found)
  const { matched, sample } = await source.preview(filter)
  const count = Math.min(matched, limit ?? matched)
  if (isPreview) {
    await out.result({ of: found.name, matched, sample }, (page) => {
      page.line`${matched} dead letters of ${found.name} would be delivered again.`
      if (sample.length > 0) {
        page.table(
          ['id', 'died', 'origin', 'type', 'subject', 'tries', 'reason', 'error'],
          sample.map((letter) => letterRow(letter, false)),
        )
      }
    })
    return ExitCode.done
  }
  if (matched > 0) {
    const takes = Math.ceil((count / rate) * 1_000)
    await call.confirm(
      `${count} dead letters of ${found.name} are delivered again, ${rate} a second: some ${shownDuration(takes)}.`,
      String(count),
    )
  }
  let told = 0
  const pace = {
    ratePerSecond: rate,
    signal,
    onProgress({ redriven: done }: { readonly redriven: number }) {
      if (done < told + rate && done < count) return
      told = done
      out.progress(`${done} of ${count}`)
    },
  }
  // A dashboard has no redrive that this process could carry along.
  const { redriven, refused } =
    call.dashboard() === undefined
      ? await source.redrive(filter, { ...pace, ...act, ...(limit !== undefined && { limit }) })
      : await redriveThroughDashboard(found, filter, { ...pace, limit: limit ?? matched })
  const result = {
    of: found.name,
    ...act,
    matched,
    redriven: redriven.length,
    ids: redriven,
    refused,
  }
  await out.result(result, (page) => {
    page.line`${redriven.length} of ${matched} dead letters are on their way again (${act?.actor}: ${act?.note}).`
    showRefused(page, refused)
    if (signal.aborted) page.line`Interrupted: the others are as they were.`
  })
  if (signal.aborted) return ExitCode.interrupted
  return redriven.length > 0 && refused.length === 0 ? ExitCode.done : ExitCode.found
}

async function discardDead(call: Call): Promise<ExitCode> {
  const ids = call.given.operands('id')
  const { actor, note } = call.act()
  const source: DeadLetterSource = await deadLettersOf(call)
  await call.confirm(
    `${ids.length} dead letters of ${source.name} are never delivered: ${ids.join(', ')}.`,
    ids.length === 1 ? (ids[0] ?? '') : String(ids.length),
  )
  const results = await deadLetters(source).discard(ids, { actor, note })
  const refused = results.filter(({ outcome }) => outcome !== 'discarded')
  await call.out.result({ of: source.name, actor, note, results }, (page) => {
    page.line`${results.length - refused.length} discarded.`
    showRefused(page, refused)
  })
  return refused.length === 0 ? ExitCode.done : ExitCode.found
}

function filterOf({ given }: Call): DeadLetterFilter {
  const ids = given.operands('id')
  const events = given.list('event')
  const [origin, type, subject] = [given.text('origin'), given.text('type'), given.text('subject')]
  const [reason, kind] = [given.text('reason'), given.text('kind')]
  const [after, before] = [given.time('after'), given.time('before')]
  return {
    ...(ids.length > 0 && { ids }),
    ...(events.length > 0 && { eventIds: events }),
    ...(origin !== undefined && { origin }),
    ...(type !== undefined && { type }),
    ...(subject !== undefined && { subject }),
    ...(reason !== undefined && { reason: reason as NonNullable<DeadLetterFilter['reason']> }),
    ...(kind !== undefined && { fingerprint: kind }),
    ...(after !== undefined && { deadAfter: after }),
    ...(before !== undefined && { deadBefore: before }),
  }
}

const ONLY_DEAD = ['reason', 'kind', 'event', 'after', 'before']
