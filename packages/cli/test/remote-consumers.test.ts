import { expect, test } from 'vitest'
import type { DashboardApi } from '../src/command/dashboard-api.ts'
import { remoteConsumers } from '../src/remote/consumers.ts'

// A bug: a dashboard with `consumers` and without `lag` knows no lag, and the list said 0 behind.
test('a lag that the dashboard does not know is not shown as 0', async () => {
  const consumers = [
    { lag: null, record: { name: 'email' } },
    { lag: { known: false, events: 0, oldestMs: null }, record: { name: 'gone' } },
    { lag: { known: true, events: 7, oldestMs: 1_000 }, record: { name: 'search' } },
    { lag: { known: true, events: 1, oldestMs: 1 }, record: null },
  ]
  const api = { get: async () => ({ consumers }) } as unknown as DashboardApi
  const listed = await remoteConsumers(api, () => '').list()
  expect(listed.map(({ name, lag }) => [name, lag?.events ?? null])).toEqual([
    ['email', null],
    ['gone', null],
    ['search', 7],
  ])
})
