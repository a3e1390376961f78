import { expect, test } from 'vitest'
import type { DashboardApi } from '../src/command/dashboard-api.ts'
import { remoteConsumers } from '../src/remote/consumers.ts'

// A bug: a dashboard with `consumers` and without `lag` knows no lag, and the list said 0 behind.
test('a lag that the dashboard does not know is not shown as 0', async () => {
  const consumers = [
    { name: 'email', lag: null, record: { name: 'email' } },
    { name: 'gone', lag: { known: false, events: 0, oldestMs: null }, record: { name: 'gone' } },
    {
      name: 'search',
      lag: { known: true, events: 7, oldestMs: 1_000 },
      record: { name: 'search' },
    },
  ]
  const api = { get: async () => ({ consumers }) } as unknown as DashboardApi
  const listed = await remoteConsumers(api, () => '').list()
  expect(listed.map(({ name, lag }) => [name, lag?.events ?? null])).toEqual([
    ['email', null],
    ['gone', null],
    ['search', 7],
  ])
})

// A bug: a dashboard with `lag` and without `consumers` has no record of any, and the list said
// that no consumer is known.
test('a consumer of which the dashboard knows only the lag is listed', async () => {
  const consumers = [
    { name: 'email', lag: { known: true, events: 7, oldestMs: 1_000 }, record: null },
    { name: 'unheard-of', lag: { known: false, events: 0, oldestMs: null }, record: null },
  ]
  const api = { get: async () => ({ consumers }) } as unknown as DashboardApi
  const listed = await remoteConsumers(api, () => '').list()
  expect(listed).toEqual([{ name: 'email', lag: consumers[0]?.lag }])
})
