import { createHash } from 'node:crypto'
import { HTTP } from 'cloudevents'
import { expect, test } from 'vitest'
import { deliveredEvent } from '../../../src/consumer/delivered-event.ts'
import { failuresIn, isPermanent, RefusedEntryError } from '../../../src/publishers/aws-failures.ts'
import { awsMessage } from '../../../src/publishers/aws-message.ts'
import { structuredEvent } from '../../../src/publishers/structured-event.ts'

function event(of: { data?: string; headers?: object; orderingKey?: string } = {}) {
  const { data = '{}', headers = {}, orderingKey = 'acme' } = of
  return deliveredEvent({
    id: '01a22990-e71d-72cb-bc1e-c9a3c64df888',
    type: 'order.created',
    source: '/shop',
    subject: null,
    orderingKey,
    data,
    headers: JSON.stringify(headers),
    occurredAtMs: 1_700_000_000_123,
  } as Parameters<typeof deliveredEvent>[0])
}

test('the data of a structured event is the text that was stored, digit by digit', () => {
  const text = structuredEvent(event({ data: '{"id": 9007199254740993, "a": 1.10}' }))
  expect(text).toContain('"data":{"id": 9007199254740993, "a": 1.10}')
  expect(text).not.toContain('"headers"')
  const headers = { 'content-type': 'application/cloudevents+json' }
  expect(JSON.parse(JSON.stringify(HTTP.toEvent({ headers, body: text })))).toMatchObject({
    specversion: '1.0',
    time: '2023-11-14T22:13:20.123Z',
    partitionkey: 'acme',
  })
})

test('characters that SQS refuses are escaped, and all others stay', () => {
  const text = structuredEvent(event({ data: '"\ufffe\uffff\ufffd😀"', headers: { a: '\uffff' } }))
  expect(text).not.toMatch(/[\ufffe\uffff]/)
  expect(text).toContain('\ufffd😀')
  const { data, headers } = JSON.parse(text)
  expect({ data, headers: JSON.parse(headers) }).toEqual({
    data: '\ufffe\uffff\ufffd😀',
    headers: { a: '\uffff' },
  })
})

test.each([
  ['acme', 'acme'],
  ['k'.repeat(128), 'k'.repeat(128)],
  ['k'.repeat(129), sha256('k'.repeat(129))],
  ['größe 1', sha256('größe 1')],
])('the group of the ordering key %j is %j', (orderingKey, group) => {
  const { fifo } = awsMessage('sqs', event({ orderingKey }), true)
  expect(fifo).toEqual({
    MessageGroupId: group,
    MessageDeduplicationId: 'sqs:01a22990-e71d-72cb-bc1e-c9a3c64df888',
  })
  expect(awsMessage('sqs', event({ orderingKey }), false).fifo).toEqual({})
})

test('the bytes of a message are those of its body and of its attributes with names and types', () => {
  const { body, attributes, bytes } = awsMessage('sqs', event({ data: '"ü"' }), false)
  const texts = [
    body,
    ...Object.entries(attributes).map(
      ([name, { DataType, StringValue }]) => `${name}${DataType}${StringValue}`,
    ),
  ]
  expect(bytes).toBe(Buffer.byteLength(texts.join('')))
})

test('a message that the answer does not name has failed, and may be tried again', () => {
  const failures = failuresIn(['a', 'b'], { Successful: [{ Id: '1' }] })
  expect([...failures.keys()]).toEqual(['a'])
  expect(isPermanent(failures.get('a'))).toBe(false)
})

test.each([
  [refused('InvalidMessageContents', true), true],
  [refused('InvalidParameterValue', true), true],
  [refused('RequestThrottled', true), false],
  [refused('KmsAccessDenied', true), false],
  [refused('InternalFailure', false), false],
  [named('BatchRequestTooLong'), true],
  [named('BatchRequestTooLongException'), true],
  [named('InvalidParameterException', 'Invalid parameter: Message too long'), true],
  [named('InvalidParameterException', 'Invalid parameter: TopicArn'), false],
  [named('ThrottlingException'), false],
  [named('AccessDeniedException'), false],
  [named('CredentialsProviderError'), false],
  [undefined, false],
])('%s is permanent: %s', (error, permanent) => {
  expect(isPermanent(error)).toBe(permanent)
})

function refused(code: string, isSenderFault: boolean): Error {
  return new RefusedEntryError(code, 'no', isSenderFault)
}

function named(name: string, message = 'no'): Error {
  return Object.assign(new Error(message), { name })
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
