import { randomUUID } from 'node:crypto'
import { actTarget } from '@oncekey/core'
import { postgresStore } from '@oncekey/postgres'
import { saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { database, payment, runnerOf, stepOf } from './paying-sagas.ts'

const HOUR_MS = 3_600_000
const by = { actor: 'maria@shop.example', note: 'the bank is back' }

const actsOn = async (id: string) => {
  const { operations } = postgresStore({ client: database.pool() })
  const found = await operations?.list({ target: actTarget('saga-run', id) }, { limit: 50 })
  return found?.items.map(({ act, detail }) => ({ act, detail })) ?? []
}

// A bug: what waited for its last attempt was due at once, and its attempts counted on. One failure
// later the run was undone, which the operator had meant to prevent.
test('a run that waits is resumed with its attempts forgiven', async () => {
  const attempts: number[] = []
  const flow = saga<null, PoolClient>('waits', { version: 1 }).step('charge', {
    retry: { maxAttempts: 2, backoff: () => HOUR_MS },
    run({ attempt }) {
      attempts.push(attempt)
      throw new Error('the bank is down')
    },
  })
  const runner = runnerOf([flow])
  const { id } = await runner.submit(flow, { id: randomUUID(), input: null })
  await runner.runOnce()
  expect(await stepOf(runner, id, 'charge')).toMatchObject({ attempts: 1 })
  expect(await runner.resume(id, by)).toBe('running')
  expect(await stepOf(runner, id, 'charge')).toMatchObject({ attempts: 0 })
  await runner.runOnce()
  expect(await runner.get(id)).toMatchObject({ state: 'running', owner: undefined })
  expect(attempts).toEqual([1, 1])
  expect(await actsOn(id)).toEqual([
    { act: 'sagas.resume', detail: { was: 'running', state: 'running' } },
  ])
})

test('so is one that waits in its compensation', async () => {
  const attempts: number[] = []
  const flow = saga<null, PoolClient>('waits-back', { version: 1 })
    .step('charge', {
      run: () => {},
      compensationRetry: { maxAttempts: 2, backoff: () => HOUR_MS },
      compensate({ attempt }) {
        attempts.push(attempt)
        throw new Error('the bank is down')
      },
    })
    .step('ship', { retry: { maxAttempts: 1 }, run: () => Promise.reject(new Error('no')) })
  const runner = runnerOf([flow])
  const { id } = await runner.submit(flow, { id: randomUUID(), input: null })
  await runner.runOnce()
  expect(await runner.resume(id, by)).toBe('compensating')
  await runner.runOnce()
  expect(await runner.get(id)).toMatchObject({ state: 'compensating', owner: undefined })
  expect(attempts).toEqual([1, 1])
})

// A bug: the answer was the state of the run, as if it had been resumed.
test('of a run that a process drives, a resume says that it changed nothing', async () => {
  const { flow, story, letGo } = payment()
  const runner = runnerOf([flow])
  const id = randomUUID()
  const done = runner.execute(flow, { id, input: null })
  await waitFor(() => story.includes('charging'), { what: 'the charge to begin' })
  expect(await runnerOf([flow]).resume(id, by)).toBe('under-way')
  letGo()
  await done
  expect(await actsOn(id)).toEqual([])
  expect(await runner.resume(id, by)).toBe('completed')
})
