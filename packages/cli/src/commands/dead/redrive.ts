import { randomUUID } from 'node:crypto'
import { type DeadLetterSource, LETTERS_LOOKED_AT } from '@oncekey/core'
import { type DeadLetters, deadLetters } from '@oncekey/outbox'
import { usageError } from '../../command/cli-error.ts'
import type { Call, Command } from '../../command/command.ts'
import { REQUEST_ID, refuseEmpty } from '../../command/common-options.ts'
import { ExitCode } from '../../command/exit-code.ts'
import { deadLettersOf } from '../../connection/log.ts'
import { shownDuration } from '../../output/page.ts'
import { shellWord } from '../../output/shell-word.ts'
import { FILTER, filterOf, OF } from './filter.ts'
import { letterRow, showRefused } from './shown-letter.ts'

export const deadRedriveCommands: readonly Command[] = [
  {
    path: 'dead preview',
    summary: 'Count the dead letters that a redrive would take, and show the oldest ones',
    server: 'postgres-or-redis',
    viaDashboard: true,
    operands: [{ name: 'id', optional: true, many: true }],
    options: { ...OF, ...FILTER },
    examples: ['dead preview --origin email --after 2h'],
    run: previewDead,
  },
  {
    path: 'dead redrive',
    summary: 'Have dead letters delivered again, with the event ids they had',
    details:
      'It needs ids, a filter or --all. It is a redrive on record, which goes on if this process dies; Ctrl-C\n' +
      'cancels it, and what was put back stays so. With --start it is only put on record, and whoever works\n' +
      'the source carries it: a relay, a worker, a runner. Through a dashboard, too, only they carry it.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    endsItself: true,
    operands: [{ name: 'id', optional: true, many: true }],
    options: {
      ...OF,
      ...FILTER,
      all: { help: 'All of them.' },
      rate: { value: 'count', help: 'How many in a second. Default: 50.' },
      limit: { value: 'count', help: 'How many at most. Default: all that match.' },
      start: { help: 'Only put it on record, and print its id for redrives watch.' },
      ...REQUEST_ID,
    },
    examples: [
      "dead redrive --origin email --after 2h --rate 20 --note 'the mail server is back' --yes",
    ],
    run: redriveDead,
  },
]

async function previewDead(call: Call): Promise<ExitCode> {
  const found = await deadLettersOf(call)
  const { matched, isWhole, sample } = await deadLetters(found).preview(filterOf(call))
  await call.out.result({ of: found.name, matched, isWhole, sample }, (page) => {
    if (isWhole) page.line`${matched} dead letters of ${found.name} would be delivered again.`
    else {
      page.line`At least ${matched} dead letters of ${found.name} would be delivered again: the ${LETTERS_LOOKED_AT} oldest were looked at.`
    }
    if (sample.length === 0) return
    page.table(
      ['id', 'died', 'origin', 'type', 'subject', 'tries', 'reason', 'error'],
      sample.map((letter) => letterRow(letter, false)),
    )
  })
  return ExitCode.done
}

async function redriveDead(call: Call): Promise<ExitCode> {
  const { given, out, signal } = call
  const filter = filterOf(call)
  const isChosen = Object.keys(filter).length > 0
  if (!isChosen && !given.flag('all')) {
    throw usageError('Which of them? Write ids, a filter such as --origin, or --all.')
  }
  if (isChosen && given.flag('all')) {
    throw usageError('--all is all of them: write it without ids and filters.')
  }
  const act = call.act()
  const ratePerSecond = given.whole('rate', 1, 100_000) ?? 50
  const limit = given.whole('limit', 1, 1_000_000_000)
  refuseEmpty(given, ['request-id'])
  const named = given.text('request-id')
  const requestId = named ?? randomUUID()
  const pace = { ratePerSecond, ...(limit !== undefined && { limit }), requestId }
  const found = await deadLettersOf(call)
  const of = found.name === 'consumers' ? '' : ` --of ${found.name}`
  const source = deadLetters(found)
  const { matched, isWhole } = await source.preview(filter)
  const count = Math.min(matched, limit ?? matched)
  if (matched > 0 || !isWhole) {
    const takes = Math.ceil((count / ratePerSecond) * 1_000)
    const least = isWhole || count === limit ? '' : 'At least '
    await call.confirm(
      `${least}${count} dead letters of ${found.name} are delivered again, ${ratePerSecond} a second: some ${shownDuration(takes)}.`,
      String(count),
    )
  }
  signal.throwIfAborted()
  const newest = named === undefined ? undefined : await newestOf(found, source)
  const isNew = (id: string | undefined): boolean =>
    newest === undefined || Number(id) > Number(newest)
  const wasThere = (id: string | undefined): string => `It was there already: redrive ${id}`
  signal.throwIfAborted()
  call.leaves(
    `It may be on record: oncekey redrives list${of}. Repeated with --request-id ${shellWord(requestId)}, it is not started twice.`,
  )
  if (given.flag('start')) {
    const id = await source.startRedrive(filter, { ...pace, ...act })
    await out.result(
      { of: found.name, redrive: id, isNew: isNew(id), matched, ...call.onRecord() },
      (page) => {
        const watch = `oncekey redrives watch ${id}`
        page.line`${isNew(id) ? `It is redrive ${id}` : wasThere(id)}: ${watch + of}`
      },
    )
    return ExitCode.done
  }
  if (call.dashboard() !== undefined) {
    out.progress(`A worker of ${found.name} behind the dashboard carries it; Ctrl-C cancels it.`)
  }
  let told = 0
  const { id, redriven, refused, ...took } = await source.redrive(filter, {
    ...pace,
    ...act,
    signal,
    onStart: (is) =>
      call.leaves(`Redrive ${is} is on record, and may go on: oncekey redrives cancel ${is}${of}.`),
    onProgress({ redriven: done }) {
      if (done < told + ratePerSecond && done < count) return
      told = done
      out.progress(`${done} of ${count}`)
    },
  })
  // What a redrive that was there already has taken is no part of what matches now.
  const by = call.onRecord()
  const who = by.actor === undefined ? by.note : `${by.actor}: ${by.note}`
  const ofHowMany = isNew(id) ? matched : took.matched
  const result = {
    of: found.name,
    redrive: id,
    isNew: isNew(id),
    ...by,
    matched: ofHowMany,
    redriven: redriven.length,
    ids: redriven,
    refused,
  }
  await out.result(result, (page) => {
    if (!isNew(id)) page.line`${wasThere(id)}.`
    page.line`${redriven.length} of ${ofHowMany} dead letters are on their way again (${who}).`
    showRefused(page, refused)
    if (signal.aborted) page.line`Interrupted: the others are as they were.`
  })
  if (signal.aborted) return ExitCode.interrupted
  return redriven.length > 0 && refused.length === 0 ? ExitCode.done : ExitCode.found
}

/** The id of the newest redrive of the source, by which it is told whether a start made another. */
async function newestOf(found: DeadLetterSource, { redrives }: DeadLetters): Promise<string> {
  const page = await redrives?.list({ source: found.name }, { limit: 1 })
  return page?.items[0]?.id ?? '0'
}
