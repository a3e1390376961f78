import { type Redrive, type Redrives, sleep } from '@oncekey/core'
import { CliError, usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import { pageOf, tellNext } from '../command/paging.ts'
import { deadLettersOf, sourceNames } from '../connection/log.ts'

const OF = {
  of: { value: 'source', choices: sourceNames, help: 'Whose redrives. Default: consumers.' },
} as const

export const redrivesCommands: readonly Command[] = [
  {
    path: 'redrives list',
    summary: 'List redrives on record, the newest first',
    server: 'postgres-or-redis',
    viaDashboard: true,
    options: { ...OF, ...PAGE },
    examples: ['redrives list --of webhooks'],
    run: listRedrives,
  },
  {
    path: 'redrives show',
    summary: 'Show a redrive and its progress',
    server: 'postgres-or-redis',
    viaDashboard: true,
    operands: [{ name: 'id' }],
    options: OF,
    examples: ['redrives show 17'],
    run: showRedrive,
  },
  {
    path: 'redrives watch',
    summary: 'Show the progress of a redrive until it is over; Ctrl-C only ends the watching',
    details: 'Exit code 1: it was cancelled.',
    server: 'postgres-or-redis',
    viaDashboard: true,
    endsItself: true,
    operands: [{ name: 'id' }],
    options: OF,
    examples: ['redrives watch 17'],
    run: watchRedrive,
  },
  {
    path: 'redrives cancel',
    summary: 'End a redrive that is running; what it has taken stays taken',
    server: 'postgres-or-redis',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'id' }],
    options: OF,
    examples: ["redrives cancel 17 --note 'they fail again' --yes"],
    run: cancelRedrive,
  },
]

async function listRedrives(call: Call): Promise<ExitCode> {
  const { source, redrives } = await redrivesOf(call)
  const page = await redrives.list({ source }, pageOf(call.given))
  await call.out.result(page, (text) => {
    if (page.items.length === 0) text.line`Nothing of ${source} has been redriven.`
    else
      text.table(
        ['id', 'state', 'done', 'refused', 'matched', 'started', 'who', 'why'],
        page.items.map(rowOf),
      )
    tellNext(text, page.next)
  })
  return ExitCode.done
}

function rowOf({ id, state, redriven, refused, matched, startedAt, actor, note }: Redrive) {
  return [id, state, redriven, refused, matched, startedAt, actor, note]
}

async function showRedrive(call: Call): Promise<ExitCode> {
  const { redrives } = await redrivesOf(call)
  const id = call.given.operand('id')
  const redrive = await redrives.get(id)
  if (redrive === undefined) throw noRedrive(id)
  await call.out.result(redrive, (page) => {
    page.fields([
      ['id', redrive.id],
      ['of', redrive.source],
      ['state', redrive.state],
      ['what', `${redrive.kind} ${JSON.stringify(redrive.filter)}`],
      ['matched', redrive.matched],
      ['redriven', redrive.redriven],
      ['refused', redrive.refused],
      ['a second', redrive.ratePerSecond],
      ['at most', redrive.limit],
      ['who', redrive.actor],
      ['why', redrive.note],
      ['started', redrive.startedAt],
      ['ended', redrive.endedAt],
    ])
  })
  return ExitCode.done
}

async function watchRedrive(call: Call): Promise<ExitCode> {
  const { redrives } = await redrivesOf(call)
  const id = call.given.operand('id')
  let told = ''
  while (!call.signal.aborted) {
    const redrive = await redrives.get(id)
    if (redrive === undefined) throw noRedrive(id)
    const progress = progressOf(redrive)
    if (progress !== told) await call.out.item(redrive, (page) => page.line`${progress}`)
    told = progress
    if (redrive.state === 'done') return ExitCode.done
    if (redrive.state === 'cancelled') return ExitCode.found
    await sleep(LOOK_AGAIN_MS, call.signal)
  }
  return ExitCode.interrupted
}

function progressOf({ state, redriven, refused, matched, limit }: Redrive): string {
  const others = refused === 0 ? '' : `, ${refused} refused`
  return `${state}: ${redriven} of ${Math.min(matched, limit ?? matched)}${others}`
}

const LOOK_AGAIN_MS = 500

async function cancelRedrive(call: Call): Promise<ExitCode> {
  const { redrives } = await redrivesOf(call)
  const id = call.given.operand('id')
  const act = call.act()
  await call.confirm(`Redrive ${id} ends; what it has taken stays taken.`, id)
  const outcome = await redrives.cancel(id, act)
  if (outcome === 'unknown') throw noRedrive(id)
  await call.out.result({ id, result: outcome, ...call.onRecord() }, (page) => {
    page.line`Redrive ${id} ${outcome === 'cancelled' ? 'is cancelled' : 'was over already'}.`
  })
  return outcome === 'cancelled' ? ExitCode.done : ExitCode.found
}

async function redrivesOf(
  call: Call,
): Promise<{ readonly source: string; readonly redrives: Redrives }> {
  const { name, redrives } = await deadLettersOf(call)
  if (redrives !== undefined) return { source: name, redrives }
  throw usageError(`Redrives of ${name} are not kept on record.`)
}

function noRedrive(id: string): CliError {
  return new CliError(ExitCode.found, `There is no redrive ${id}. See oncekey redrives list.`)
}
