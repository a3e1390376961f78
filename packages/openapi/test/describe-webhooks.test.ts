import { expect, test } from 'vitest'
import { describeWebhooks } from '../src/index.ts'
import { generators } from './generators.ts'
import { redocly } from './redocly.ts'

const events = {
  'order.placed': {
    summary: 'An order was placed.',
    data: { type: 'object', properties: { id: { type: 'integer' } } },
  },
  'refund.made': { summary: 'A refund was made.' },
}

test('a document with webhooks is valid OpenAPI 3.1 and 3.2', async () => {
  const documents: Record<string, object> = {}
  for (const version of ['3.1.1', '3.2.0']) {
    documents[version] = describeWebhooks(await generators['written by hand']!(version), events)
  }
  expect(await redocly(documents)).toEqual([])
}, 60_000)

test('each event is a webhook with the headers of Standard Webhooks', () => {
  const { webhooks, components } = describeWebhooks({ openapi: '3.1.1' }, events) as any
  expect(Object.keys(webhooks)).toEqual(['order.placed', 'refund.made'])
  const { post } = webhooks['order.placed']
  const names = post.parameters.map(({ $ref }: any) => components.parameters[$ref.split('/')[3]])
  expect(names.map(({ name }: any) => name)).toEqual(
    expect.arrayContaining(['webhook-id', 'webhook-timestamp', 'webhook-signature']),
  )
  const { schema } = post.requestBody.content['application/json']
  expect(schema.properties).toMatchObject({
    type: { const: 'order.placed' },
    data: events['order.placed'].data,
  })
})

test('what the document says of a webhook stays, and another version is refused', () => {
  const own = { post: { summary: 'mine' } }
  const document = { openapi: '3.1.1', webhooks: { 'order.placed': own, other: own } }
  const { webhooks } = describeWebhooks(document, events) as any
  expect(webhooks).toMatchObject({ 'order.placed': own, other: own })
  expect(Object.keys(webhooks)).toContain('refund.made')
  expect(() => describeWebhooks({ openapi: '3.0.3' }, events)).toThrow('write 3.1.x or 3.2.x')
})
