import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Keys } from '@oncekey/core'
import { findPromtool, type Prometheus, startPrometheus, waitFor } from '@oncekey/test-servers'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prometheus } from '../src/prometheus.ts'
import { type Shop, startShop } from './shop.ts'

const monitoring = fileURLToPath(new URL('../monitoring', import.meta.url))
const rules = readFileSync(`${monitoring}/alerts.yml`, 'utf8')
const docs = fileURLToPath(new URL('../../../docs', import.meta.url))

describe('the alert rules', () => {
  test('are valid for promtool, and fire when they should', async () => {
    const promtool = await findPromtool()
    const run = promisify(execFile)
    await run(promtool, ['check', 'rules', 'alerts.yml'], { cwd: monitoring })
    await run(promtool, ['test', 'rules', 'alerts.test.yml'], { cwd: monitoring })
  })

  test('each have a test, and a page that says what to do', () => {
    const tested = readFileSync(`${monitoring}/alerts.test.yml`, 'utf8')
    const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name as string)
    expect(names.length).toBeGreaterThan(5)
    for (const name of names) {
      expect(tested, name).toContain(`alertname: ${name}`)
      expect(rules).toContain(`runbook_url: docs/alerts/${name}.md`)
      const page = readFileSync(`${docs}/alerts/${name}.md`, 'utf8')
      expect(page, name).toContain('## What to do')
      expect(readFileSync(`${docs}/telemetry.md`, 'utf8')).toContain(`(alerts/${name}.md)`)
    }
  })
})

describe('a Prometheus that scrapes the shop', () => {
  const register = new Registry()
  let shop: Shop
  let server: Prometheus
  beforeAll(async () => {
    shop = await startShop({ register })
    prometheus({
      register,
      deadLetters: [shop.log.deadLetters],
      lag: { log: shop.log, consumers: ['mailer'] },
      keys: shop.store.keys as Keys,
    })
    server = await startPrometheus(shop.address)
  })
  afterAll(async () => {
    await server.stop()
    await shop.stop()
  })

  test('has a series for every metric in the rules about requests, keys and consumers', async () => {
    await shop.order('a', 'violin')
    await shop.order('b', 'unmailable')
    await shop.deliver(2)
    const asked = new Set(rules.match(/oncekey_[a-z_]+/g))
    const elsewhere = /webhook|saga/
    for (const metric of [...asked].filter((name) => !elsewhere.test(name))) {
      await waitFor(async () => (await server.query(metric)).length > 0, {
        what: `${metric} to be scraped`,
      })
    }
    expect(await server.query('oncekey_dead_letters')).toEqual([
      { labels: expect.objectContaining({ source: 'consumers' }), value: 1 },
    ])
  })

  test('has data for every panel of the Grafana dashboard, or at least accepts its query', async () => {
    const { panels } = JSON.parse(readFileSync(`${monitoring}/grafana.json`, 'utf8')) as Dashboard
    expect(panels.length).toBeGreaterThan(8)
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const question = expr.replaceAll('$__rate_interval', '1m')
        const isHere = !/webhook|saga|publish|store-unavailable/.test(expr)
        await waitFor(async () => (await server.query(question)).length > 0 || !isHere, {
          what: `data for "${title}"`,
        })
      }
    }
  })

  test('reports a new dead letter to the rule about dead letters', async () => {
    const [, expression] = /alert: OncekeyDeadLetters\n\s+expr: (.*)/.exec(rules) ?? []
    await shop.order('c', 'unmailable')
    await shop.deliver(3)
    await waitFor(async () => (await server.query(expression as string)).length > 0, {
      what: 'the rule to hold',
    })
  })
})

interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets: readonly { expr: string }[]
  }[]
}
