import { watch } from '@oncekey/telemetry'
import { otel } from '@oncekey/telemetry/otel'
import { prometheus } from '@oncekey/telemetry/prometheus'
import { context, type Tracer, trace } from '@opentelemetry/api'
import { Registry } from 'prom-client'
import { meters, startTracing } from '../open-telemetry.ts'

type Around = (work: () => Promise<void>) => Promise<void>

/**
 * Ways to watch requests. One that returns a function has each request run in it, as in the span of
 * an HTTP server. "The SDK" rows do not use `@oncekey/telemetry`: they are the least that the same
 * spans and histograms cost.
 */
export const watchers = {
  nobody: () => undefined,
  'a subscriber that does nothing': () => {
    watch('oncekey:request', { start() {}, end() {} })
    return undefined
  },
  Prometheus: () => {
    prometheus({ register: new Registry() })
    return undefined
  },
  "the SDK, the server's span": () => inServerSpan(startSdk()),
  'the SDK, and one span': () => inBareSpans(startSdk(), 0),
  'the SDK, and two spans': () => inBareSpans(startSdk(), 1),
  'the SDK, and four spans': () => inBareSpans(startSdk(), 3),
  'the SDK, and four histograms': () => inBareHistograms(inServerSpan(startSdk())),
  'the SDK, four spans and four histograms': () => inBareHistograms(inBareSpans(startSdk(), 3)),
  'otel, spans': () => {
    const around = inServerSpan(startSdk())
    otel()
    return around
  },
  'otel, spans and histograms': () => {
    const around = inServerSpan(startSdk())
    otel({ meterProvider: meters() })
    return around
  },
  "the SDK, the server's span not sampled": () => inServerSpan(startSdk({ isSampled: false })),
  'otel, not sampled': () => {
    const around = inServerSpan(startSdk({ isSampled: false }))
    otel()
    return around
  },
} satisfies Record<string, () => Around | undefined>

export type Watched = keyof typeof watchers

function startSdk(sampling?: { isSampled: boolean }): Tracer {
  startTracing(sampling)
  return trace.getTracer('server')
}

function inServerSpan(tracer: Tracer): Around {
  return (work) =>
    tracer.startActiveSpan('POST', async (span) => {
      await work()
      span.end()
    })
}

/** A span with as many attributes as ours, and `phases` spans without any within it. */
function inBareSpans(tracer: Tracer, phases: number): Around {
  const inSpan: Around = (work) =>
    tracer.startActiveSpan('idempotency', async (span) => {
      await work()
      for (const name of ATTRIBUTES) span.setAttribute(name, 'committed')
      const startTime = Date.now()
      const within = context.active()
      for (let left = phases; left > 0; left -= 1) {
        tracer.startSpan('phase', { startTime }, within).end(startTime)
      }
      span.end()
    })
  const outer = inServerSpan(tracer)
  return (work) => outer(() => inSpan(work))
}

function inBareHistograms(outer: Around): Around {
  const meter = meters().getMeter('bare')
  const histograms = ['a', 'b', 'c', 'd'].map((name) => meter.createHistogram(name))
  return async (work) => {
    await outer(work)
    for (const histogram of histograms) histogram.record(0.001, LABELS)
  }
}

const ATTRIBUTES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const LABELS = { 'oncekey.namespace': 'http', 'http.route': 'POST /orders' }
