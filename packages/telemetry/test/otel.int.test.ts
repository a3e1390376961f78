import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { otel } from '../src/otel.ts'
import { type Shop, startShop } from './shop.ts'

const spans = new InMemorySpanExporter()
const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({
  exporter: points,
  exportIntervalMillis: 3_600_000,
})
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
const meterProvider = new MeterProvider({ readers: [reader] })
let shop: Shop
let stop: () => void

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(tracerProvider)
  shop = await startShop()
  stop = otel({ meterProvider })
})
afterAll(async () => {
  stop()
  await shop.stop()
  await meterProvider.shutdown()
})

const named = (name: string): ReadableSpan[] =>
  spans.getFinishedSpans().filter((span) => span.name === name)

test('a request is a span with its claim, handler and completion, and without its key', async () => {
  const client = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' }
  expect(await shop.order('secret-key', 'violin', client)).toBe(201)
  expect(await shop.order('secret-key', 'violin')).toBe(201)
  const [first, again] = named('idempotency POST /orders/:id')
  expect(first?.attributes).toMatchObject({
    'oncekey.namespace': 'http',
    'http.route': 'POST /orders/:id',
    'http.response.status_code': 201,
    'oncekey.decision': 'run',
    'oncekey.outcome': 'committed',
    'oncekey.attempt': 1,
    'oncekey.events': 1,
  })
  expect(again?.attributes).toMatchObject({
    'oncekey.decision': 'replay',
    'oncekey.outcome': 'replayed',
  })
  expect(again?.links.map(({ context }) => context.spanId)).toEqual([first?.spanContext().spanId])
  expect(first?.links).toEqual([])
  expect(again?.attributes['oncekey.key_digest']).toBe(first?.attributes['oncekey.key_digest'])
  const children = spans
    .getFinishedSpans()
    .filter(({ parentSpanContext }) => parentSpanContext?.spanId === first?.spanContext().spanId)
  expect(children.map(({ name }) => name).sort()).toEqual(['claim', 'completion', 'handler'])
  const said = JSON.stringify(
    spans.getFinishedSpans().map(({ name, attributes }) => [name, attributes]),
  )
  expect(said).not.toContain('secret-key')
})

test('a delivery links to the request that emitted its event, and its failure is an error', async () => {
  spans.reset()
  await shop.order('u', 'unmailable')
  await shop.deliver(2)
  const [request] = named('idempotency POST /orders/:id')
  const delivered = named('process mailer').find(({ status }) => status.code === 2)
  expect(delivered?.links.map(({ context }) => context.spanId)).toEqual([
    request?.spanContext().spanId,
  ])
  expect(delivered?.parentSpanContext).toBeUndefined()
  expect(delivered?.status.message).toBe('No such address.')
  expect(delivered?.attributes).toMatchObject({
    'messaging.system': 'oncekey',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'mailer',
    'oncekey.event.type': 'order.placed',
    'oncekey.outcome': 'failed',
  })
})

test('durations are measured in seconds', async () => {
  await reader.forceFlush()
  const metrics =
    points
      .getMetrics()
      .at(-1)
      ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? []
  const duration = metrics.find(({ descriptor }) => descriptor.name === 'oncekey.request.duration')
  expect(duration?.descriptor.unit).toBe('s')
  expect(duration?.dataPoints.map(({ attributes }) => attributes)).toContainEqual({
    'oncekey.namespace': 'http',
    'http.route': 'POST /orders/:id',
    'oncekey.outcome': 'committed',
  })
})
