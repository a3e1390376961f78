import { actForm } from '../../html/act-form.ts'
import { type Content, type Html, html } from '../../html/html.ts'
import { badge, errorOf, facts, payload, table, time } from '../../html/parts.ts'
import { said } from '../../html/said.ts'
import { mayAct, type Viewer } from '../../routing/access.ts'
import { NotFound, type PageRoute, page } from '../../routing/route.ts'
import type { SagasSource, ShownWholeRun } from '../../sources/sagas.ts'
import { flow } from './flow.ts'
import { maskedWholeRun } from './masked.ts'
import { runSchema } from './schemas.ts'

/**
 * The page of one run of a saga: its steps as a picture, its timeline, its input, and the acts that
 * are allowed.
 */
export const sagaRunPage: PageRoute = page<ShownWholeRun>({
  path: 'sagas/run',
  title: 'Saga run',
  inNavigation: false,
  isConfinable: false,
  api: {
    summary: 'One run with its steps and its story',
    takes: { id: { about: 'The id of the run.', required: true } },
    answers: runSchema,
  },
  exists: ({ sagas }) => sagas !== undefined,
  async load({ options, query }) {
    const run = await (options.sagas as SagasSource).get(query.get('id') ?? '')
    if (run === undefined) {
      throw new NotFound('There is no such run, or not any more: it may have been purged.')
    }
    return maskedWholeRun(run, options)
  },
  render(run, asked): Html {
    return html`${said(asked.query, 'A runner takes it up.', 'Somebody else may have acted, or it has gone on.')}
${facts([
  ['Run', run.id],
  ['Saga', `${run.saga} ${run.version}`],
  ['State', badge(run.state)],
  ['Why it does not go on', run.stuck && `${run.stuck.reason}: ${run.stuck.detail}`],
  ['Error', run.error && errorOf(run.error)],
  ['Started', time(run.startedAt)],
  ['Ended', run.endedAt && time(run.endedAt)],
  ['Held by', run.owner],
  ['Due', run.dueAt && time(run.dueAt)],
  ['Note', run.note],
])}
<h2>Steps</h2>
${flow(run)}
<h2>Story</h2>
${table(
  ['When', 'What'],
  run.timeline.map(({ at, text, error }) => [
    time(at),
    error?.stack === undefined
      ? text
      : html`<details><summary>${text}</summary>${payload(error.stack)}</details>`,
  ]),
  'Nothing has happened yet.',
)}
<h2>Input</h2>
${payload(shownValue(run.input))}
${run.steps.some(({ result }) => result != null) && html`<h2>Results</h2>`}
${run.steps.map(({ name, result }) => result != null && html`<h3>${name}</h3>${payload(shownValue(result))}`)}
${acts(run, asked.viewer)}`
  },
})

function acts(run: ShownWholeRun, viewer: Viewer): Content {
  const hidden = { id: run.id }
  const isOver = ['completed', 'compensated', 'settled'].includes(run.state)
  if (isOver) return undefined
  const isParked = run.state === 'stuck' || run.state === 'compensation-failed'
  const forms = [
    mayAct(viewer, 'sagas.resume') &&
      actForm({
        action: 'resume',
        hidden,
        label: 'Go on from where it stopped',
        warning:
          'Its attempts are forgiven, and the step that failed runs again at once, with the same idempotency key. If a process drives the run at present, nothing is changed.',
      }),
    mayAct(viewer, 'sagas.compensate') &&
      actForm({
        action: 'compensate',
        hidden,
        label: 'Undo what it has done',
        warning: 'Every step that is done is undone, the last one first.',
        more: html`<label class="check"><input type="checkbox" name="pastPivot" value="yes"> Also if its pivot may have happened: I know that it did not, or have undone it by hand</label>`,
      }),
    isParked &&
      mayAct(viewer, 'sagas.settle') &&
      actForm({
        action: 'settle',
        hidden,
        label: 'It was put right by hand: end it as it is',
        warning: 'Nothing of it runs any more, forward or back.',
      }),
  ]
  return forms.some(Boolean) && html`<h2>Decide</h2>${forms}`
}

function shownValue(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, undefined, 2) ?? 'none')
}
