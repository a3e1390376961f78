import {
  type DeliveredFacts,
  messageOf,
  provideTraceparent,
  type TracedContext,
} from '@oncekey/core'
import {
  type Attributes,
  context as contexts,
  isSpanContextValid,
  type Link,
  type MeterProvider,
  metrics,
  type Context as OtelContext,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace as traces,
} from '@opentelemetry/api'
import { type Instrument, instruments } from './instruments.ts'
import { keyDigest } from './key-digest.ts'
import { requestOutcome } from './outcomes.ts'
import { seriesOf } from './series.ts'
import type { Traces } from './traces.ts'
import { watch } from './watch.ts'

export interface OtelOptions {
  /** @default the global one */
  readonly tracerProvider?: TracerProvider
  /** @default the global one */
  readonly meterProvider?: MeterProvider
  /** Whether spans carry the key and its scope, and not only a digest of both. @default false */
  readonly keys?: boolean
}

/**
 * Spans and metrics for OpenTelemetry. A request is a span within the HTTP server's span, and its
 * claim, handler and completion are children of it; a replay links to the span of the request that
 * ran the handler; events carry the trace context. A delivery, a send to a broker, a webhook and a
 * step of a saga have spans of their own, linked to the span that emitted the event or started the
 * run. Returns a function that removes all of it.
 *
 * @example
 * ```ts
 * import { otel } from '@oncekey/telemetry/otel'
 *
 * otel() // after the SDK was started
 * ```
 */
export function otel(options: OtelOptions = {}): () => void {
  const tracer = (options.tracerProvider ?? traces).getTracer(NAME)
  const meter = (options.meterProvider ?? metrics).getMeter(NAME)
  const stops = [provideTraceparent(activeTraceparent)]
  const spans = spanKeeper(tracer)

  stops.push(
    spans.of('oncekey:request', {
      begin: (context) => ({
        name: `idempotency ${context.namespace}`,
        kind: SpanKind.INTERNAL,
        attributes: { 'oncekey.namespace': context.namespace },
      }),
      started(context, span) {
        context.traceparent = traceparentOf(span) ?? context.traceparent
      },
      end(context, span, current) {
        const { route, scope, key, decision, status, attempt, events } = context
        if (route !== undefined) span.updateName(`idempotency ${route}`)
        setDefined(span, 'http.route', route)
        setDefined(span, 'http.response.status_code', status)
        setDefined(span, 'oncekey.decision', decision)
        setDefined(span, 'oncekey.outcome', requestOutcome(context))
        setDefined(span, 'oncekey.attempt', attempt)
        setDefined(span, 'oncekey.events', events)
        setDefined(span, 'oncekey.key_digest', keyDigest(scope, key))
        if (options.keys === true) {
          setDefined(span, 'oncekey.scope', scope)
          setDefined(span, 'oncekey.key', key)
        }
        if (context.origin !== undefined) span.addLinks(linkToTraceparent(context.origin))
        phases(tracer, current, context)
      },
    }),
    spans.of('oncekey:deliver', {
      begin: ({ consumer, events, attempt }) => ({
        name: `process ${consumer}`,
        kind: SpanKind.CONSUMER,
        root: true,
        links: events.flatMap(linkTo),
        attributes: {
          ...messaging('process', consumer),
          'oncekey.attempt': attempt,
          ...(events.length > 1
            ? { 'messaging.batch.message_count': events.length }
            : defined({
                'messaging.message.id': events[0]?.id,
                'oncekey.event.type': events[0]?.type,
              })),
        },
      }),
      end: ({ outcome }, span) => void span.setAttribute('oncekey.outcome', outcome ?? 'failed'),
    }),
    spans.of('oncekey:publish', {
      begin: ({ publisher, event }) => ({
        name: `send ${publisher}`,
        kind: SpanKind.PRODUCER,
        links: linkTo(event),
        attributes: { ...messaging('send', publisher), 'messaging.message.id': event.id },
      }),
    }),
    spans.of('oncekey:webhook', {
      begin: ({ url, attempt, deliveryId, endpointId, messageId }) => ({
        name: 'POST',
        kind: SpanKind.CLIENT,
        root: true,
        attributes: {
          'http.request.method': 'POST',
          'server.address': new URL(url).hostname,
          'http.request.resend_count': attempt - 1,
          'messaging.message.id': messageId,
          'oncekey.webhook.delivery': deliveryId,
          'oncekey.webhook.endpoint': endpointId,
        },
      }),
      end: ({ status, state }, span) =>
        void span.setAttributes(
          defined({ 'http.response.status_code': status, 'oncekey.outcome': state }),
        ),
    }),
    spans.of('oncekey:saga-step', {
      begin: ({ saga, step, direction, attempt, runId, version, traceparent }) => ({
        name: `${direction} ${saga} ${step}`,
        kind: SpanKind.INTERNAL,
        root: true,
        links: linkToTraceparent(traceparent),
        attributes: {
          'oncekey.saga': saga,
          'oncekey.saga.version': version,
          'oncekey.saga.run': runId,
          'oncekey.saga.step': step,
          'oncekey.saga.direction': direction,
          'oncekey.attempt': attempt,
        },
      }),
      end: ({ outcome }, span) => void span.setAttribute('oncekey.outcome', outcome ?? 'failed'),
    }),
  )
  for (const instrument of instruments()) {
    const histogram = meter.createHistogram(instrument.name, {
      description: instrument.description,
      unit: 's',
    })
    stops.push(measure(instrument, (value, attributes) => histogram.record(value, attributes)))
  }
  return () => {
    for (const stop of stops) stop()
  }
}

interface SpanFacts extends SpanOptions {
  readonly name: string
}

interface Spans<Context extends TracedContext> {
  begin(context: Context): SpanFacts
  started?(context: Context, span: Span): void
  /** Not called for a span that is not sampled. `current` is the OpenTelemetry context with it. */
  end?(context: Context, span: Span, current: OtelContext): void
}

/**
 * Keeps the span of each context from its start to its end, and makes it the active span meanwhile.
 */
function spanKeeper(tracer: Tracer) {
  return {
    of<Name extends keyof Traces>(name: Name, spans: Spans<Traces[Name]>): () => void {
      // On the context itself: entries of a WeakMap are expensive to collect.
      const CURRENT = Symbol('oncekey.otel')
      type Opened = Traces[Name] & { [CURRENT]?: OtelContext }
      return watch(name, {
        start(context: Opened) {
          const facts = spans.begin(context)
          const span = tracer.startSpan(facts.name, facts)
          spans.started?.(context, span)
          const outer = context.within
          const current = traces.setSpan(contexts.active(), span)
          context[CURRENT] = current
          context.within = (work) =>
            contexts.with(current, outer === undefined ? work : () => outer(work))
        },
        end(context: Opened) {
          const current = context[CURRENT]
          const span = current && traces.getSpan(current)
          if (current === undefined || span === undefined) return
          if (span.isRecording()) {
            spans.end?.(context, span, current)
            if (context.error !== undefined) failed(span, context.error)
          }
          span.end()
        },
      })
    },
  }
}

/** Adds a child span for each phase, once all durations are known. */
function phases(tracer: Tracer, around: OtelContext, of: Traces['oncekey:request']): void {
  const { claimMs, handlerMs, completionMs } = of
  let endedAt = Date.now()
  const past = [
    ['completion', completionMs],
    ['handler', handlerMs],
    ['claim', claimMs],
  ] as const
  for (const [name, milliseconds] of past) {
    if (milliseconds === undefined) continue
    const startTime = endedAt - milliseconds
    tracer.startSpan(name, { startTime }, around).end(endedAt)
    endedAt = startTime
  }
}

function failed(span: Span, error: unknown): void {
  if (error instanceof Error) span.recordException(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) })
}

function measure(
  instrument: Instrument,
  record: (value: number, attributes: Attributes) => void,
): () => void {
  const attributesOf = seriesOf(
    (values): Attributes =>
      Object.fromEntries(instrument.labels.map((label, at) => [attributeOf(label), values[at]])),
  )
  return watch(instrument.trace, {
    end(context) {
      const seconds = instrument.seconds(context as never)
      if (seconds === undefined) return
      record(seconds, attributesOf(instrument.values(context as never)))
    },
  })
}

/** Prometheus labels have no namespace. A route has the name of the semantic conventions. */
function attributeOf(label: string): string {
  return label === 'route' ? 'http.route' : `oncekey.${label}`
}

function messaging(operation: 'send' | 'process', destination: string): Attributes {
  return {
    'messaging.system': 'oncekey',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation,
    'messaging.destination.name': destination,
  }
}

/**
 * Links instead of parents, because an event may be delivered long after its trace, and to many
 * consumers.
 */
function linkTo({ traceparent }: DeliveredFacts): Link[] {
  return linkToTraceparent(traceparent)
}

function linkToTraceparent(traceparent: string | undefined): Link[] {
  const [, traceId, spanId, flags] =
    /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(traceparent ?? '') ?? []
  if (traceId === undefined || spanId === undefined) return []
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags ?? '0', 16),
    isRemote: true,
  }
  return [{ context }]
}

/** W3C Trace Context, whatever the app propagates: `oncekey:request` has no other form. */
function traceparentOf(span: Span): string | undefined {
  const context = span.spanContext()
  if (!isSpanContextValid(context)) return undefined
  const flags = context.traceFlags.toString(16).padStart(2, '0')
  return `00-${context.traceId}-${context.spanId}-${flags}`
}

function activeTraceparent(): string | undefined {
  const span = traces.getActiveSpan()
  return span && traceparentOf(span)
}

function setDefined(span: Span, name: string, value: string | number | undefined): void {
  if (value !== undefined) span.setAttribute(name, value)
}

function defined(attributes: Record<string, string | number | undefined>): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined),
  ) as Attributes
}

const NAME = '@oncekey/telemetry'
