import type { ListedRun, RunState, WholeRun } from '@oncekey/saga'
import { SagaError } from '@oncekey/saga'
import { CliError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import { tellNext } from '../command/paging.ts'
import { sagasFor } from '../connection/sagas.ts'
import type { Page } from '../output/page.ts'
import type { Acted } from '../remote/sagas.ts'

const states = [
  'running',
  'completed',
  'compensating',
  'compensated',
  'compensation-failed',
  'stuck',
  'settled',
] as const satisfies readonly RunState[]

export const sagasCommands: readonly Command[] = [
  {
    path: 'sagas list',
    summary: 'List runs of sagas',
    server: 'postgres',
    viaDashboard: true,
    options: {
      saga: { value: 'name', help: 'Only of this saga.' },
      state: { value: 'state', choices: states, help: 'Only in this state.' },
      stuck: { help: 'Only those that do not go on by themselves.' },
      ...PAGE,
    },
    examples: ['sagas list --stuck'],
    run: listSagas,
  },
  {
    path: 'sagas show',
    summary: 'Show a run with its steps and its story',
    server: 'postgres',
    viaDashboard: true,
    operands: [{ name: 'run' }],
    examples: ['sagas show order-17'],
    run: showSaga,
  },
  {
    path: 'sagas resume',
    summary: 'Have a run that is stuck, waits, or could not be undone go on, its attempts forgiven',
    details: 'A runner takes it up. A run that a process drives at present is left as it is.',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'run' }],
    examples: ["sagas resume order-17 --note 'the carrier is back' --yes"],
    run: resumeSaga,
  },
  {
    path: 'sagas compensate',
    summary: 'Have what a run has done undone, also one that is under way',
    details: 'A runner does it. Note and actor are kept with the run.',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'run' }],
    options: {
      'past-pivot': {
        help: 'Also if its pivot may have happened: you know that it did not, or have undone it by hand.',
      },
    },
    examples: ["sagas compensate order-17 --note 'the customer cancelled' --yes"],
    run: compensateSaga,
  },
  {
    path: 'sagas settle',
    summary: 'End a run that was put right by hand',
    details: 'Nothing of it runs any more. Note and actor are kept with the run.',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'run' }],
    examples: ["sagas settle order-17 --note 'refunded by hand, ticket 4711' --yes"],
    run: settleSaga,
  },
]

async function listSagas(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const limit = given.whole('limit', 1, 1_000) ?? 50
  const [saga, state, after] = [given.text('saga'), given.text('state'), given.text('page')]
  const sagas = await sagasFor(call)
  const items = await sagas.list({
    limit,
    ...(saga !== undefined && { saga }),
    ...(state !== undefined && { state: state as RunState }),
    ...(given.flag('stuck') && { stuck: true }),
    ...(after !== undefined && { after }),
  })
  const next = items.length === limit ? items.at(-1)?.id : undefined
  await out.result({ items, next }, (page) => {
    if (items.length === 0) page.line`There are no such runs.`
    else {
      page.table(['id', 'saga', 'state', 'started', 'step', 'why'], items.map(runRow))
    }
    tellNext(page, next)
  })
  return ExitCode.done
}

function runRow({ id, saga, version, state, startedAt, failedStep, error, stuck }: ListedRun) {
  const why = error === undefined ? stuck?.detail : `${error.name}: ${error.message}`
  return [id, `${saga} ${version}`, state, startedAt, failedStep, why]
}

async function showSaga(call: Call): Promise<ExitCode> {
  const id = call.given.operand('run')
  const run = await (await sagasFor(call)).get(id)
  if (run === undefined) throw noRun(id)
  await call.out.result(run, (page) => showRun(page, run))
  return ExitCode.done
}

function showRun(page: Page, run: WholeRun): void {
  page.fields([
    ['id', run.id],
    ['saga', `${run.saga} ${run.version}`],
    ['state', run.state],
    ['why', run.stuck?.detail],
    ['error', run.error && `${run.error.name}: ${run.error.message}`],
    ['started', run.startedAt],
    ['ended', run.endedAt],
    ['owner', run.owner],
    ['due', run.dueAt],
    ['note', run.note],
  ])
  page.blank()
  page.title('Input')
  page.block(JSON.stringify(run.input, undefined, 2) ?? 'none')
  if (run.steps.length > 0) {
    page.blank()
    page.table(
      ['step', 'state', 'tries', 'undo tries', 'result'],
      run.steps.map(({ name, state, attempts, compensationAttempts, result }) => [
        name,
        state,
        attempts,
        compensationAttempts,
        result === undefined ? null : JSON.stringify(result),
      ]),
    )
  }
  page.blank()
  page.table(
    ['at', 'what'],
    run.timeline.map(({ at, text }) => [at, text]),
  )
}

async function resumeSaga(call: Call): Promise<ExitCode> {
  const id = await askedRun(call, 'goes on from where it stopped, with its attempts forgiven')
  const sagas = await sagasFor(call)
  return await told(call, id, () => sagas.resume(id, call.act()))
}

async function compensateSaga(call: Call): Promise<ExitCode> {
  const { actor, note } = call.act()
  const id = await askedRun(call, 'is undone, step by step')
  const sagas = await sagasFor(call)
  const how = { note, actor, pastPivot: call.given.flag('past-pivot') }
  return await told(call, id, () => sagas.compensate(id, how))
}

async function settleSaga(call: Call): Promise<ExitCode> {
  const { actor, note } = call.act()
  const id = await askedRun(call, 'is ended as it is: nothing of it runs any more')
  const sagas = await sagasFor(call)
  return await told(call, id, () => sagas.settle(id, note, { actor, note }))
}

async function askedRun(call: Call, what: string): Promise<string> {
  call.act()
  const id = call.given.operand('run')
  const run = await (await sagasFor(call)).get(id)
  if (run === undefined) throw noRun(id)
  await call.confirm(`Run ${id} of saga "${run.saga}", which is ${run.state}, ${what}.`, id)
  return id
}

async function told(call: Call, id: string, act: () => Promise<Acted>): Promise<ExitCode> {
  const { isDone, state } = await act().catch((error) => {
    if (!(error instanceof SagaError) || error.code !== 'saga-past-pivot') throw error
    throw new CliError(
      ExitCode.found,
      `Run ${id} has begun its pivot, or what comes after, and from there only goes forward: nothing was changed. If you know that the pivot did not happen, add --past-pivot.`,
    )
  })
  if (!isDone && !call.out.isJson) throw new CliError(ExitCode.found, unchanged(id, state))
  await call.out.result({ id, state, done: isDone, ...call.onRecord() }, (page) => {
    page.line`Run ${id} is ${state} now.`
  })
  return isDone ? ExitCode.done : ExitCode.found
}

function unchanged(id: string, state: string): string {
  return state === 'under-way'
    ? `A process drives run ${id} at present: nothing was changed, and the attempt that has begun counts on.`
    : `Run ${id} is ${state}: nothing was changed.`
}

function noRun(id: string): CliError {
  return new CliError(ExitCode.found, `There is no run ${id} of a saga. See oncekey sagas list.`)
}
