import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { helpOf } from '../src/command/help.ts'
import { commands } from '../src/commands.ts'
import { withoutPasswords } from '../src/connection/server-url.ts'
import { grantStatements, type Purpose, privilegesOf, purposes } from '../src/grants/privileges.ts'
import { json, jsonValue } from '../src/output/json.ts'
import { shownDuration, writePage } from '../src/output/page.ts'
import { visibleJson } from '../src/output/visible.ts'

describe('JSON', () => {
  test('has integers that no number can hold as strings, wherever they are', () => {
    const text =
      '{"a":9007199254740993,"b":[-9007199254740993,1,0.5,1e400],"c":"12345678901234567890"}'
    expect(jsonValue(text)).toEqual({
      a: '9007199254740993',
      b: ['-9007199254740993', 1, 0.5, Number.POSITIVE_INFINITY],
      c: '12345678901234567890',
    })
    expect(jsonValue('{"a\\"9007199254740993":"\\\\"}')).toEqual({ 'a"9007199254740993': '\\' })
    expect(jsonValue('not json')).toBe('not json')
    // Before the text was parsed first, looking for numbers in it took 30 s.
    const quotes = `"${'\\"'.repeat(100_000)}`
    expect(jsonValue(quotes)).toBe(quotes)
  })

  test('has bytes in base64 and times in UTC', () => {
    const value = { body: Buffer.from('hi'), bytes: new Uint8Array([1]), at: new Date(0) }
    expect(json(value, undefined)).toBe(
      '{"body":"aGk=","bytes":"AQ==","at":"1970-01-01T00:00:00.000Z"}',
    )
  })
})

describe('a page', () => {
  test('lines up what is wide, and cuts the last column to the terminal only', () => {
    const rows = [
      ['日本', 'x'.repeat(40)],
      ['a', null],
    ]
    const shown = (columns: number | undefined) =>
      writePage({ colour: false, columns }, (page) => page.table(['key', 'note'], rows))
    expect(shown(30)).toBe(`key   note\n日本  ${'x'.repeat(23)}…\na     -\n`)
    expect(shown(undefined)).toContain('x'.repeat(40))
  })

  test('shows durations in two units', () => {
    expect([12, 61_000, 3_600_000, 90_061_000, null].map(shownDuration)).toEqual([
      ...['12ms', '1m 1s', '1h', '1d 1h', '-'],
    ])
  })
})

test('no password of a URL is left in a sentence', () => {
  const url = 'postgres://app:p%40ssword@db:5432/shop'
  const text = `could not use ${url} nor p@ssword nor redis://:other@cache:6379 nor ?password=third&x`
  expect(withoutPasswords(text, [url])).toBe(
    'could not use postgres://app:***@db:5432/shop nor *** nor redis://:***@cache:6379 nor ?password=***&x',
  )
})

test('every verb has help with an example that begins with its own name', () => {
  for (const command of commands) {
    expect(command.examples.length).toBeGreaterThan(0)
    for (const example of command.examples) expect(example.startsWith(command.path)).toBe(true)
    expect(helpOf(command)).toContain(`oncekey ${command.path}`)
  }
})

describe('the grants', () => {
  const page = readFileSync(new URL('../../../docs/grants.md', import.meta.url), 'utf8')
  const headings = {
    request: 'The request path',
    purge: 'purge',
    relay: 'Relay',
    webhooks: 'Webhooks',
    saga: 'Sagas',
    operator: 'Operators',
    erase: 'Erasing a customer',
    metrics: 'Metrics',
    inbox: 'Inbox',
  } as const

  test.each(purposes)('for %s are those of docs/grants.md', (purpose) => {
    const [request = '', lease = ''] = sectionOf(headings.request).split("`mode: 'lease'`")
    const [metrics = '', more = ''] = sectionOf(headings.metrics).split('of webhooks and sagas')
    const only = (prefix: string) =>
      more.split('\n').filter((line) => line.startsWith(`grant select on oncekey.${prefix}`))
    const parts: Partial<Record<Purpose, string>> = {
      request,
      lease: request + lease,
      metrics,
      'webhooks-metrics': only('webhook').join('\n'),
      'saga-metrics': only('saga').join('\n'),
      dashboard: sectionOf(headings.operator) + sectionOf(headings.relay),
    }
    const text = parts[purpose] ?? sectionOf(headings[purpose as keyof typeof headings])
    const documented = [
      ...text.matchAll(/^grant ([\w, ]+) on (?:sequence )?([\w., ]+) to \w+;/gm),
    ].flatMap(([, privileges = '', tables = '']) =>
      tables
        .split(', ')
        .flatMap((table) => privileges.split(', ').map((privilege) => `${privilege} ${table}`)),
    )
    const ours = privilegesOf([purpose]).map(
      ({ table, privilege }) => `${privilege} oncekey.${table}`,
    )
    expect(ours).not.toEqual([])
    expect(new Set(ours)).toEqual(new Set(documented))
  })

  test('are as few statements as there are kinds of tables', () => {
    expect(grantStatements('oncekey', '"App"', privilegesOf(['request', 'lease']))).toEqual([
      'grant select, insert on oncekey.records to "App";',
      'grant select, insert, update, delete on oncekey.attempts, oncekey.leases to "App";',
      'grant insert on oncekey.outbox to "App";',
    ])
  })

  function sectionOf(heading: string): string {
    return page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? ''
  }
})

// A bug: a tab or a carriage return between two values was written as an escape, which is no JSON.
test('JSON with any white space is still the same JSON', () => {
  const text = '{\r\n\t"a":\r"\u202ax\u007f",\n"n": 9007199254740993}'
  const shown = visibleJson(text)
  expect(JSON.parse(shown)).toEqual(JSON.parse(text))
  expect(shown).toBe('{\n\t"a":\n"\\u202ax\\u007f",\n"n": 9007199254740993}')
})
