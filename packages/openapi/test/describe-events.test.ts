import { Parser } from '@asyncapi/parser'
import { expect, test } from 'vitest'
import { type DescribeEventsOptions, describeEvents } from '../src/index.ts'

const info = { title: 'Orders', version: '1.0.0' }
const events = {
  'order.placed': {
    summary: 'An order was placed.',
    data: { $ref: '#/components/schemas/Order' },
    subject: "The order's id.",
    headers: { customer: 'Whose order it is.' },
  },
  'refund/made': { summary: 'A refund was made.' },
}
const schemas = { Order: { type: 'object', properties: { id: { type: 'integer' } } } }
const servers = {
  broker: { host: 'nats.example.org', protocol: 'nats' },
  stream: { host: 'kafka.example.org', protocol: 'kafka' },
}
const publishers = [
  { name: 'nats', protocol: 'nats', address: (type: string) => `shop.${type}` },
  { name: 'kafka', protocol: 'kafka', address: 'orders' },
  { name: 'rabbit', protocol: 'amqp', address: (type: string) => type, exchange: 'shop' },
  { name: 'streams', protocol: 'redis', address: 'shop' },
] as const

/** The errors and warnings of AsyncAPI's own parser for a document. */
async function complaints(document: object): Promise<string[]> {
  const found = await new Parser().validate(JSON.stringify(document))
  return found
    .filter(({ severity }) => severity < 2)
    .map(({ code, message, path }) => `${code}: ${message} ${path.join('/')}`)
}

test('the document is valid AsyncAPI, with a channel for each address and one for webhooks', async () => {
  const document = describeEvents({
    info,
    events,
    publishers,
    servers,
    schemas,
    webhooks: true,
  }) as any
  expect(await complaints(document)).toEqual([])
  expect(Object.keys(document.channels)).toEqual([
    'nats.shop.order.placed',
    'nats.shop.refund/made',
    'kafka',
    'rabbit.order.placed',
    'rabbit.refund/made',
    'streams',
    'webhooks',
  ])
  expect(document.channels.kafka.servers).toEqual([{ $ref: '#/servers/stream' }])
  expect(Object.keys(document.channels.kafka.messages)).toEqual(['order.placed', 'refund/made'])
  const { document: parsed } = await new Parser().parse(JSON.stringify(document))
  expect(parsed?.operations().filterBySend()).toHaveLength(7)
}, 30_000)

test('the validator finds a fault in a document that has one', async () => {
  const document = describeEvents({ info, events: { a: { summary: 'A.' } }, webhooks: true }) as any
  document.operations['send.webhooks'].channel.$ref = '#/channels/hooks'
  expect(await complaints(document)).not.toEqual([])
}, 30_000)

test.each<[Partial<DescribeEventsOptions>, string]>([
  [{}, 'the events go nowhere'],
  [{ events: {}, webhooks: true }, 'events is empty'],
  [{ events: { 'order.*': { summary: 'A.' } }, webhooks: true }, '"order.*" is no type'],
  [{ events: { order: { summary: '' } }, webhooks: true }, '"order" needs a summary'],
  [{ publishers: [{ name: 'webhooks', protocol: 'nats', address: 'a' }] }, 'cannot be a name'],
  [{ publishers: [publishers[1], publishers[1]] }, 'cannot be a name'],
  [{ publishers: [{ name: 'k', protocol: 'kafka', address: () => '' }] }, 'address of "k" is ""'],
  [{ publishers: [{ name: 'k', protocol: 'mqtt' as 'kafka', address: 'a' }] }, '"mqtt"'],
])('%j is refused with what to write', (wrong, message) => {
  expect(() => describeEvents({ info, events, ...wrong })).toThrow(message)
})
