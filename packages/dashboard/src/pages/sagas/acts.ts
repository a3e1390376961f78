import { object, text } from '../../api/schema.ts'
import { linkTo } from '../../html/parts.ts'
import { PAST_PIVOT } from '../../html/said.ts'
import { confirmedAct } from '../../routing/act.ts'
import { type ActOutcome, type ActRoute, type Form, NotFound } from '../../routing/route.ts'
import type { SagasSource } from '../../sources/sagas.ts'

const id = { about: 'The id of the run.', required: true } as const

/**
 * The answer to an act: `done`, or why nothing was changed, and the state in which it has left the
 * run. Who reads the run afterwards may find that it has gone on.
 */
const acted = object({ result: text, 'state?': text })

export const resumeSaga: ActRoute = confirmedAct({
  path: 'sagas/resume',
  act: 'sagas.resume',
  summary: 'Have a run that is stuck, waits, or could not be undone go on, its attempts forgiven',
  fields: { id },
  answers: acted,
  exists: ({ sagas }) => sagas !== undefined,
  perform: (form, { options }, act) =>
    told('resume', form, ['running', 'compensating'], (run) =>
      (options.sagas as SagasSource).resume(run, act),
    ),
})

export const compensateSaga: ActRoute = confirmedAct({
  path: 'sagas/compensate',
  act: 'sagas.compensate',
  summary: 'Have what a run has done undone',
  fields: {
    id,
    pastPivot: {
      about: 'Also if its pivot may have happened: it is known that it did not.',
      choices: ['yes'],
    },
  },
  answers: acted,
  exists: ({ sagas }) => sagas !== undefined,
  perform: (form, { options }, act) =>
    told('compensate', form, ['compensating', 'compensated'], (run) =>
      (options.sagas as SagasSource).compensate(run, {
        ...act,
        pastPivot: form.optional('pastPivot') === 'yes',
      }),
    ),
})

export const settleSaga: ActRoute = confirmedAct({
  path: 'sagas/settle',
  act: 'sagas.settle',
  summary: 'End a run that was put right by hand',
  fields: { id },
  answers: acted,
  exists: ({ sagas }) => sagas !== undefined,
  perform: (form, { options }, act) =>
    told('settle', form, ['settled'], (run) =>
      (options.sagas as SagasSource).settle(run, act.note, act),
    ),
})

/**
 * The result of an act: `done` if the run is in the intended state, otherwise the run's state;
 * `under-way` if a process drives it and it was to be resumed.
 */
async function told(
  did: string,
  form: Form,
  meant: readonly string[],
  act: (id: string) => Promise<string>,
): Promise<ActOutcome> {
  const run = form.text('id')
  const state = await act(run).catch((error) => {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (error.code === 'saga-past-pivot') return PAST_PIVOT
    if (error.code === 'saga-unknown') throw new NotFound('There is no such run.')
    throw error
  })
  const result = meant.includes(state) ? 'done' : state
  const left = state === PAST_PIVOT || state === 'under-way' ? {} : { state }
  return { to: linkTo('run', { id: run, did, result }), result: { result, ...left } }
}
