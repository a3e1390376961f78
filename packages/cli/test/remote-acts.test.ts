import { expect, test } from 'vitest'
import type { DashboardApi } from '../src/command/dashboard-api.ts'
import { remoteDeadLetters } from '../src/remote/dead-letters.ts'
import { remoteSagas } from '../src/remote/sagas.ts'
import { remoteWebhooks } from '../src/remote/webhooks.ts'

/** A dashboard that answers acts, and cannot be read. */
const acting = (...answers: (object | Error)[]): DashboardApi => ({
  get: async () => {
    throw new Error('The dashboard does not answer.')
  },
  find: async () => {
    throw new Error('The dashboard does not answer.')
  },
  post: async () => {
    const answer = answers.shift()
    if (answer instanceof Error) throw answer
    return answer as never
  },
})
const note = () => 'as agreed'

// A bug: the run was read again after the act. By then a runner had finished it, and the act, which
// was done and in the audit, was reported as not done; or it could not be read.
test.each(['resume', 'compensate', 'settle'] as const)(
  'what the act %s did is what the dashboard answered to it',
  async (verb) => {
    const sagas = remoteSagas(acting({ result: 'done', state: 'running' }), note)
    const ran = verb === 'settle' ? sagas.settle('order-1', note()) : sagas[verb]('order-1')
    expect(await ran).toEqual({ isDone: true, state: 'running' })
  },
)

test('an act on a run that found nothing to do is not done', async () => {
  const sagas = remoteSagas(acting({ result: 'under-way' }), note)
  expect(await sagas.resume('order-1')).toEqual({ isDone: false, state: 'under-way' })
})

test('a dashboard of the release before answers no state', async () => {
  const sagas = remoteSagas(acting({ result: 'done' }), note)
  expect(await sagas.resume('order-1')).toMatchObject({ isDone: true })
  const { endpoints } = remoteWebhooks(acting({ result: 'done' }), note)
  expect(await endpoints.pause('e', 'as agreed', { actor: 'm', note: 'n' })).toEqual({
    status: 'paused',
  })
})

test.each(['pause', 'resume', 'enable'] as const)(
  'the status of an endpoint after %s is what the dashboard answered to it',
  async (verb) => {
    const { endpoints } = remoteWebhooks(acting({ result: 'done', status: 'disabled' }), note)
    const by = { actor: 'maria@shop.example', note: note() }
    const ran = verb === 'pause' ? endpoints.pause('e', note(), by) : endpoints[verb]('e', by)
    expect(await ran).toEqual({ status: 'disabled' })
  },
)

// A bug: the answer for the first two letters was lost with the third.
test('letters that were discarded before the dashboard failed are told', async () => {
  const done = (id: string) => ({ resolutions: [{ id, outcome: 'discarded' }] })
  const api = acting(done('1'), done('2'), new Error('The dashboard does not answer.'))
  const { discard } = remoteDeadLetters(api, 'sagas', note)
  expect(await discard(['1', '2', '3', '4'], note())).toEqual([
    { id: '1', outcome: 'discarded' },
    { id: '2', outcome: 'discarded' },
    { id: '3', outcome: 'failed', message: 'The dashboard does not answer.' },
    { id: '4', outcome: 'failed', message: 'The dashboard does not answer.' },
  ])
})

test('where the dashboard fails at the first letter, nothing was discarded, and it is an error', async () => {
  const { discard } = remoteDeadLetters(acting(new Error('It does not answer.')), 'sagas', note)
  await expect(discard(['1', '2'], note())).rejects.toThrow('It does not answer.')
})
