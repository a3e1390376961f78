import { describe, expect, test } from 'vitest'
import { runCampaign } from '../src/campaign.ts'
import { ADAPTERS, type CampaignOptions } from '../src/options.ts'
import { findingsIn, report } from '../src/report.ts'

const campaign = (options: Partial<CampaignOptions>) =>
  runCampaign({
    store: 'postgres',
    orders: 160,
    faults: 26,
    seed: 'small',
    concurrency: 24,
    broken: undefined,
    durable: true,
    replicas: 2,
    minReplicas: 1,
    only: '',
    adapters: ['express', 'fastify', 'node', 'hono'],
    ...options,
  })

describe('a small campaign of faults', { timeout: 240_000 }, () => {
  test.each(['postgres', 'redis'] as const)(
    'leaves the books balanced on %s, with a server of every adapter',
    (store) => balanced({ store, adapters: ADAPTERS }),
  )

  const onEvery = process.env.MATRIX === 'whole' ? { adapters: ADAPTERS } : {}
  test.each(['postgres-lease', 'postgres-mixed'] as const)(
    'leaves the books balanced on %s',
    (store) => balanced({ store, ...onEvery }),
  )

  if (process.env.MATRIX !== 'whole') {
    test.skip('Koa and NestJS in lease mode and in a mixed shop: pnpm test:whole', () => {})
  }

  async function balanced(options: Partial<CampaignOptions>): Promise<void> {
    const result = await campaign(options)
    expect(findingsIn(result), report(result)).toBe(0)
    const made = [...result.faults.values()].reduce((sum, count) => sum + count, 0)
    expect(made).toBe(26)
    expect(result.ledger.first.size).toBe(160)
  }

  // In both campaigns there are two primaries at once: the old one wakes up, or clients could reach
  // it all the time.
  test('leaves the books balanced on redis-sentinel when its primary is replaced', async () => {
    const result = await campaign({
      store: 'redis-sentinel',
      only: 'primary',
      seed: 's2',
      orders: 60,
      faults: 2,
    })
    expect(findingsIn(result), report(result)).toBe(0)
    expect([...result.faults.keys()]).toEqual(['primary paused', 'primary cut off'])
  })

  test('leaves the books balanced when a lagging standby takes over', async () => {
    const result = await campaign({
      store: 'postgres-standby-async',
      only: 'standby',
      seed: 'a1',
      orders: 120,
      faults: 3,
    })
    expect(findingsIn(result), report(result)).toBe(0)
    expect(result.faults.size).toBe(3)
    expect(result.ledger.counts.lost).toBeGreaterThan(0)
  })

  test('loses no answered order when a synchronous standby takes over', async () => {
    const result = await campaign({
      store: 'postgres-standby-sync',
      only: 'standby',
      seed: 'a1',
      orders: 120,
      faults: 3,
    })
    expect(findingsIn(result), report(result)).toBe(0)
    expect(result.faults.size).toBe(3)
    // The receipts that were committed only on the primary that was lost.
    expect(result.ledger.lost.size).toBeGreaterThan(0)
  })

  test('finds a store that cancels a COMMIT that waits for its standby', async () => {
    const { ledger } = await campaign({
      store: 'postgres-standby-sync',
      broken: 'ends-waiting-commits',
      only: 'failover',
      orders: 60,
      faults: 1,
    })
    expect(ledger.findings.takenBack).not.toEqual([])
  })

  test('finds a store that runs handlers while its pool is on a replica', async () => {
    const { ledger } = await campaign({
      store: 'postgres-standby-sync',
      broken: 'runs-anyway',
      only: 'pool',
      orders: 60,
      faults: 1,
    })
    expect(ledger.findings.ranOnReplica).not.toEqual([])
  })

  test('finds a server that stores a body from a buffer that it reuses', async () => {
    const { ledger } = await campaign({ broken: 'reused-buffer', orders: 60, faults: 0 })
    expect(ledger.findings.answersUnlikeRecord).not.toEqual([])
  })

  test('finds a store that commits writes and record one after the other', async () => {
    const { ledger } = await campaign({ broken: 'writes-beside', orders: 100, faults: 8 })
    expect(ledger.findings.doubleEffects).not.toEqual([])
  })

  test('finds a store whose records are invisible to other processes', async () => {
    const { ledger } = await campaign({ broken: 'each-for-itself', orders: 60, faults: 0 })
    expect(ledger.findings.doubleEffects).not.toEqual([])
    expect(ledger.findings.unequalReplays).not.toEqual([])
  })
})
