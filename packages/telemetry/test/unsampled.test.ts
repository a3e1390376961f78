import { createEngine, memoryStore } from '@oncekey/core'
import { context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterEach, expect, test } from 'vitest'
import { otel } from '../src/otel.ts'
import { watch } from '../src/watch.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
  trace.disable()
  context.disable()
})

function traced(options: { isSampled: boolean }) {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(!options.isSampled && { sampler: new AlwaysOffSampler() }),
  })
  trace.setGlobalTracerProvider(provider)
  stops.push(otel())
  return { exporter, tracer: provider.getTracer('server') }
}

async function order(): Promise<string | undefined> {
  const engine = createEngine({ store: memoryStore() })
  let traceparent: string | undefined
  stops.push(
    watch('oncekey:request', {
      end(request) {
        traceparent = request.traceparent
      },
    }),
  )
  const begun = await engine.begin({
    method: 'POST',
    target: '/orders',
    scope: 'account-1',
    header: (name) => (name === 'idempotency-key' ? ['k'] : []),
    fingerprintInput: () => ({
      method: 'POST',
      target: '/orders',
      contentType: undefined,
      body: { kind: 'none' },
    }),
  })
  if (begun.kind === 'run')
    await begun.run.complete({ status: 201, headers: [], body: Buffer.of() })
  return traceparent
}

test('a request that is not sampled has no spans, and continues the trace', async () => {
  const { exporter, tracer } = traced({ isSampled: false })
  const traceparent = await tracer.startActiveSpan('POST', async (span) => {
    expect(await order()).toMatch(`00-${span.spanContext().traceId}-`)
    return await order()
  })
  expect(traceparent).toMatch(/-00$/)
  expect(exporter.getFinishedSpans()).toEqual([])
})

// A bug: without a propagator of W3C Trace Context, events carried no trace.
test('events carry the W3C trace of the span, whatever the app propagates', async () => {
  const { exporter } = traced({ isSampled: true })
  const traceparent = await order()
  const request = exporter.getFinishedSpans().find(({ name }) => name.startsWith('idempotency'))
  const { traceId, spanId } = request?.spanContext() ?? {}
  expect(traceparent).toBe(`00-${traceId}-${spanId}-01`)
})
