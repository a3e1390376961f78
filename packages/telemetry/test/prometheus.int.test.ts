import type { Keys } from '@oncekey/core'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prometheus } from '../src/prometheus.ts'
import { type Shop, startShop } from './shop.ts'

let shop: Shop
let stop: () => void
const register = new Registry()

beforeAll(async () => {
  shop = await startShop()
  stop = prometheus({
    register,
    deadLetters: [shop.log.deadLetters],
    lag: { log: shop.log, consumers: ['mailer'] },
    keys: shop.store.keys as Keys,
  })
})
afterAll(() => shop.stop())

/** The lines of a metric, without its buckets. */
async function shown(name: string): Promise<string[]> {
  const lines = (await register.metrics()).split('\n')
  return lines.filter((line) => line.startsWith(name) && !line.includes('_bucket'))
}

test('counts requests by route and outcome', async () => {
  expect(await shop.order('a', 'violin')).toBe(201)
  expect(await shop.order('a', 'violin')).toBe(201)
  expect(await shop.order('b', 'refused')).toBe(422)
  expect(await shop.order('c', 'broken')).toBe(500)
  expect(await shop.order('a', 'cello')).toBe(422)
  const name = 'oncekey_request_duration_seconds_count'
  const labels = (outcome: string) =>
    `namespace="http",route="POST /orders/:id",outcome="${outcome}"`
  expect(await shown(name)).toEqual([
    `${name}{${labels('committed')}} 1`,
    `${name}{${labels('replayed')}} 1`,
    `${name}{${labels('refused')}} 1`,
    `${name}{${labels('undone')}} 1`,
    `${name}{${labels('key-reused')}} 1`,
  ])
  expect(await shown('oncekey_claim_duration_seconds_count')).toEqual([
    'oncekey_claim_duration_seconds_count{namespace="http",decision="run"} 3',
    'oncekey_claim_duration_seconds_count{namespace="http",decision="replay"} 1',
    'oncekey_claim_duration_seconds_count{namespace="http",decision="mismatch"} 1',
  ])
})

test('reports deliveries, dead letters and lag', async () => {
  await shop.deliver(1)
  await shop.order('d', 'unmailable')
  expect(await shown('oncekey_consumer_lag_events')).toEqual([
    'oncekey_consumer_lag_events{consumer="mailer"} 1',
  ])
  await shop.deliver(2)
  expect(await shown('oncekey_delivery_duration_seconds_count')).toEqual([
    'oncekey_delivery_duration_seconds_count{consumer="mailer",outcome="done"} 1',
    'oncekey_delivery_duration_seconds_count{consumer="mailer",outcome="failed"} 1',
  ])
  expect(await shown('oncekey_dead_letters{')).toEqual([
    'oncekey_dead_letters{source="consumers"} 1',
  ])
  const [oldest] = await shown('oncekey_dead_letters_oldest_timestamp_seconds')
  const since = Number(oldest?.split(' ')[1])
  expect(Math.abs(Date.now() / 1_000 - since)).toBeLessThan(120)
  expect(await shown('oncekey_consumer_lag_events')).toEqual([
    'oncekey_consumer_lag_events{consumer="mailer"} 0',
  ])
  expect(await shown('oncekey_keys_unknown')).toEqual(['oncekey_keys_unknown 0'])
})

test('reports a database that is away, and everything else as before', async () => {
  const broken = new Registry()
  const take = prometheus({
    register: broken,
    deadLetters: [shop.log.deadLetters],
    keys: {
      list: async () => {
        throw new Error('away')
      },
    },
  })
  const text = await broken.metrics()
  expect(text).toContain('oncekey_scrape_failed{source="keys"} 1')
  expect(text).toContain('oncekey_scrape_failed{source="consumers"} 0')
  expect(text).toContain('oncekey_dead_letters{source="consumers"} 1')
  expect(text).toContain('oncekey_keys_unknown Nan')
  take()
  expect(await broken.metrics()).toBe('\n')
})

// A bug: what a source threw at once, instead of rejecting, failed the whole scrape.
test('reports a source that throws, and everything else as before', async () => {
  const broken = new Registry()
  const stats = (): never => {
    throw new Error('not connected yet')
  }
  prometheus({ register: broken, deadLetters: [{ name: 'ours', stats }, shop.log.deadLetters] })
  const text = await broken.metrics()
  expect(text).toContain('oncekey_scrape_failed{source="ours"} 1')
  expect(text).toContain('oncekey_dead_letters{source="consumers"} 1')
})

// A bug: the answer of one consumer hid that the question about another had failed.
test('reports that the lag of one consumer could not be asked, whoever comes after it', async () => {
  const broken = new Registry()
  const lag = async (name: string) => {
    if (name === 'mailer') throw new Error('no grant')
    return shop.log.lag(name)
  }
  const consumers = ['mailer', 'printer']
  prometheus({ register: broken, lag: { log: { lag }, consumers } })
  expect(await broken.metrics()).toContain('oncekey_scrape_failed{source="lag"} 1')
})

// A bug: attempts under way were all that the first page looked at, and the unknown keys behind
// them counted as none.
test('counts the unknown keys behind a page of attempts that are under way', async () => {
  const behind = new Registry()
  const asked: (string | undefined)[] = []
  const key = { namespace: 'http', scope: 's', key: 'k', state: 'unknown' } as never
  prometheus({
    register: behind,
    keys: {
      async list(_, { after }) {
        asked.push(after)
        return after === undefined
          ? { items: [], next: 'second' }
          : { items: [key], next: undefined }
      },
    },
  })
  expect(await behind.metrics()).toContain('oncekey_keys_unknown 1')
  expect(asked).toEqual([undefined, 'second'])
})

test('removes what it registered, and requests continue', async () => {
  stop()
  expect(await register.metrics()).toBe('\n')
  expect(await shop.order('z', 'violin')).toBe(201)
})
