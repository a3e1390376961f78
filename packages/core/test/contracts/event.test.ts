import { describe, expect, test } from 'vitest'
import { type EmittedEvent, outboxEvent } from '../../src/contracts/events/event.ts'

const defaults = { source: '/http', traceparent: undefined }
const made = (event: unknown, differently: Partial<typeof defaults> | object = {}) =>
  outboxEvent(event as EmittedEvent, { ...defaults, ...differently })
const refusal = (event: unknown): string => {
  try {
    made(event)
  } catch (error) {
    expect(error).toMatchObject({ name: 'OncekeyError', code: 'event-invalid' })
    return (error as Error).message
  }
  return 'nothing was thrown'
}

describe('an emitted event', () => {
  test('needs a type and gets defaults for the rest', () => {
    const before = Date.now()
    const event = made({ type: 'order.created' })
    expect(event).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      type: 'order.created',
      source: '/http',
      subject: null,
      orderingKey: event.id,
      data: 'null',
      headers: {},
      occurredAt: expect.any(Date),
    })
    expect(event.occurredAt.getTime()).toBeGreaterThanOrEqual(before)
  })

  test('keeps the attributes it was given', () => {
    expect(
      made({
        type: 'order.created',
        subject: 'o-1',
        source: '/orders',
        orderingKey: 'customer-1',
        data: { id: 'o-1' },
        headers: { tenant: 't-1', empty: '' },
      }),
    ).toMatchObject({
      subject: 'o-1',
      source: '/orders',
      orderingKey: 'customer-1',
      data: '{"id":"o-1"}',
      headers: { tenant: 't-1', empty: '' },
    })
  })

  test('uses its subject as ordering key unless it names one', () => {
    expect(made({ type: 'a', subject: 's' }).orderingKey).toBe('s')
    expect(made({ type: 'a', subject: 's', orderingKey: 'k' }).orderingKey).toBe('k')
  })

  test('gets a unique id, in the order of emission', () => {
    const ids = Array.from({ length: 1000 }, () => made({ type: 'a' }).id)
    expect(new Set(ids).size).toBe(1000)
    expect([...ids].sort()).toEqual(ids)
  })

  test('carries the trace of the request that caused it, unless it names its own', () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(made({ type: 'a', headers: { x: '1' } }, { traceparent }).headers).toEqual({
      traceparent,
      x: '1',
    })
    expect(made({ type: 'a', headers: { traceparent: 'own' } }, { traceparent }).headers).toEqual({
      traceparent: 'own',
    })
  })

  test('does not change when its data object changes later', () => {
    const data = { total: 1 }
    const headers = { tenant: 't-1' }
    const event = made({ type: 'a', data, headers })
    data.total = 2
    headers.tenant = 't-2'
    expect(event).toMatchObject({ data: '{"total":1}', headers: { tenant: 't-1' } })
  })
})

describe('the data of an event', () => {
  test.each([
    [undefined, 'null'],
    [null, 'null'],
    [0, '0'],
    ['', '""'],
    [false, 'false'],
    [[], '[]'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ kept: 1, left: undefined }, '{"kept":1}'],
    // JSON escapes what text cannot hold, so these two are accepted.
    ['a\0b', String.raw`"a\u0000b"`],
    ['\ud800', String.raw`"\ud800"`],
  ])('stores %j as %s', (data, text) => {
    expect(made({ type: 'a', data }).data).toBe(text)
  })

  test('is refused if it is not JSON, with the reason as the cause', () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    const throwing = {
      toJSON() {
        throw new Error('not now')
      },
    }
    for (const data of [1n, { total: 1n }, circle, throwing]) {
      expect(refusal({ type: 'order.created', data })).toBe(
        'emit(): `data` of event "order.created" is not JSON.',
      )
      expect(() => made({ type: 'a', data })).toThrow(
        expect.objectContaining({ cause: expect.any(Error) }),
      )
    }
    for (const data of [() => 1, Symbol('a'), { toJSON: () => undefined }]) {
      expect(refusal({ type: 'a', data })).toBe('emit(): `data` of event "a" is not JSON.')
    }
  })
})

describe('emit() refuses an event', () => {
  test.each([[undefined], [null], [{}], [{ type: '' }], [{ type: 7 }], ['order.created']])(
    'without a type: %j',
    (event) => {
      expect(refusal(event)).toBe('emit(): an event needs a `type`, such as "order.created".')
    },
  )

  test.each([['subject'], ['source'], ['orderingKey']])('with a %s that is not text', (name) => {
    for (const value of [7, '', null, {}]) {
      expect(refusal({ type: 'a', [name]: value })).toBe(
        `emit(): \`${name}\` of event "a" must be a non-empty string; write String(…) for a number.`,
      )
    }
  })

  test('with a header that is not text', () => {
    expect(refusal({ type: 'a', headers: { tenant: 7 } })).toMatch(/`headers\.tenant` of event "a"/)
    expect(refusal({ type: 'a', headers: { tenant: undefined } })).toMatch(/`headers\.tenant`/)
  })

  test.each([['a\0b'], ['\ud800'], ['a\udc00b']])(
    'with text that PostgreSQL could not keep, in any attribute: %j',
    (text) => {
      const why =
        'has a NUL character or half a surrogate pair in it, which an outbox cannot keep as text.'
      for (const name of ['subject', 'source', 'orderingKey']) {
        expect(refusal({ type: 'a', [name]: text })).toBe(`emit(): \`${name}\` of event "a" ${why}`)
      }
      expect(refusal({ type: text })).toBe(
        `emit(): \`type\` of event ${JSON.stringify(text)} ${why}`,
      )
      expect(refusal({ type: 'a', headers: { x: text } })).toBe(
        `emit(): \`headers.x\` of event "a" ${why}`,
      )
      expect(refusal({ type: 'a', headers: { [text]: 'x' } })).toMatch(/`headers` of event "a" has/)
    },
  )

  test('with the line that emitted it in the stack', () => {
    let stack: string | undefined
    try {
      made({})
    } catch (error) {
      stack = (error as Error).stack
    }
    expect(stack).toContain('event.test.ts')
  })
})

describe('an event beyond what every log and publisher can carry', () => {
  test.each<[string, object, string]>([
    ['a subject of 2,700 bytes', { subject: 's'.repeat(2_700) }, '2700 bytes long'],
    ['an ordering key over 1,024 bytes', { orderingKey: 'é'.repeat(600) }, '1200 bytes long'],
    ['a type with a line break', { type: 'order\ncreated' }, 'control character'],
    ['a subject with a control character', { subject: 'a\u0007' }, 'control character'],
    ['a type that is a pattern', { type: 'order.*' }, 'any type'],
    ['a source that is no URI reference', { source: 'the shop' }, 'no URI reference'],
    ['a source with half an escape', { source: '/%4' }, 'no URI reference'],
    ['a header with a space in its name', { headers: { 'my tenant': 'a' } }, 'no name of a header'],
    ['a header with a line break', { headers: { tenant: 'a\r\nb' } }, 'control character'],
    ['a header with a space at its end', { headers: { tenant: 'a ' } }, 'a space at an end'],
    ['headers of 10 KB', { headers: { tenant: 'a'.repeat(10_000) } }, 'bytes together'],
    ['10 MB of data', { data: 'x'.repeat(10_000_000) }, 'keep it elsewhere'],
  ])('is refused by emit(): %s', (_, event, why) => {
    expect(refusal({ type: 'order.created', ...event })).toContain(why)
  })

  test('may have 1 MB of data, and text in any language', () => {
    const event = made({
      type: 'order.created',
      subject: 'ordér-"1" 注文',
      data: 'x'.repeat(1_048_576),
      headers: { tenant: 'Zoë' },
    })
    expect(event.data.length).toBe(1_048_578)
  })
})
