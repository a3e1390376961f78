import { describe, expect, test } from 'vitest'
import { runEventCampaign } from '../src/events/event-campaign.ts'
import { eventFindingsIn, eventReport } from '../src/events/event-report.ts'
import type { EventCampaignOptions } from '../src/events/options.ts'

const campaign = (options: Partial<EventCampaignOptions>) =>
  runEventCampaign({
    store: 'postgres',
    operations: 100,
    faults: 3,
    seed: 'e1',
    concurrency: 8,
    minutes: 60,
    broken: undefined,
    durable: true,
    replicas: 2,
    minReplicas: 1,
    only: 'killed',
    ...options,
  })

describe('a small campaign of events', { timeout: 240_000 }, () => {
  test.each(['postgres', 'redis'] as const)(
    'delivers every event to every consumer on %s',
    async (store) => {
      const result = await campaign({ store })
      expect(eventFindingsIn(result), eventReport(result)).toBe(0)
      expect(result.counts.events).toBeGreaterThan(0)
      expect([...result.faults.values()].reduce((sum, count) => sum + count, 0)).toBe(3)
    },
  )

  test('finds an inbox whose effects are committed outside its transaction', async () => {
    const { findings } = await campaign({ broken: 'inbox-beside', operations: 40, faults: 0 })
    expect(findings.doubleEffects).not.toEqual([])
  })
})
