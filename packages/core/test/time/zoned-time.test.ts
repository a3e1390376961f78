import { zonedTime } from '@oncekey/core'
import { expect, test } from 'vitest'

test.each([
  ['2026-11-29', '2026-11-29T00:00:00.000Z'],
  ['2026-11-29T04:30Z', '2026-11-29T04:30:00.000Z'],
  ['2026-11-29T04:30:07.25Z', '2026-11-29T04:30:07.250Z'],
  ['2026-11-29T04:30:00+01:00', '2026-11-29T03:30:00.000Z'],
  ['2026-11-29 04:30:00 UTC', '2026-11-29T04:30:00.000Z'],
  [' 2026-11-29 04:30:00-05:00 ', '2026-11-29T09:30:00.000Z'],
  ['2028-02-29', '2028-02-29T00:00:00.000Z'],
])('the time %s is %s', (text, time) => {
  expect(zonedTime(text)?.toISOString()).toBe(time)
})

// A bug: the dashboard took a time without a zone to be in the zone of its own process.
test.each([
  '2026-11-29 04:30',
  '2026-11-29T04:30:00',
  '1',
  '20261129',
  '2026',
  '11/29/2026',
  '29 Nov 2026 04:30 UTC',
  '2026-02-30',
  '2026-02-30T04:30Z',
  '2026-13-01',
  '2026-11-29T25:00Z',
  '2026-11-29 UTC',
  'now',
  '',
])('%j is no time that means the same everywhere', (text) => {
  expect(zonedTime(text)).toBeUndefined()
})
