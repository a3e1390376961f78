import { OptionsError } from '@oncekey/core'
import {
  type BrokerProtocol,
  type PublisherDescription,
  protocols,
  publishedMessage,
} from './cloud-event.ts'
import type { JsonObject } from './components.ts'
import { type EventDescriptions, type ResolvedEvent, resolveEvents } from './events.ts'
import { webhookHeaders, webhookPayload } from './webhook-message.ts'

export interface DescribeEventsOptions {
  /** `title`, `version` and the other members of AsyncAPI's `info`. */
  readonly info: { readonly title: string; readonly version: string } & JsonObject
  readonly events: EventDescriptions
  /** The publishers of the application. @default none */
  readonly publishers?: readonly PublisherDescription[]
  /** Whether customers get the events as webhooks. @default false */
  readonly webhooks?: boolean
  /** The brokers, by name, in the form that AsyncAPI has for servers. @default none */
  readonly servers?: Readonly<Record<string, JsonObject>>
  /** Schemas that `data` of an event refers to as `#/components/schemas/…`. @default none */
  readonly schemas?: Readonly<Record<string, JsonObject>>
}

/**
 * Returns an AsyncAPI 3.0 document of the events that an application emits: a channel for each
 * subject, topic, routing key or stream that a publisher writes to, with the CloudEvents headers of
 * its broker, and one for webhooks.
 *
 * @throws {OptionsError} if there are neither publishers nor webhooks, or an option is invalid
 * @example
 * ```ts
 * const document = describeEvents({
 *   info: { title: 'Orders', version: '1.0.0' },
 *   events: { 'order.placed': { summary: 'An order was placed.' } },
 *   publishers: [{ name: 'kafka', protocol: 'kafka', address: 'orders' }],
 *   webhooks: true,
 * })
 * ```
 */
export function describeEvents(options: DescribeEventsOptions): JsonObject {
  const { info, publishers = [], webhooks = false, servers, schemas } = options
  const events = resolveEvents(options.events)
  checkPublishers(publishers, webhooks)
  const channels = [
    ...publishers.flatMap((publisher) => channelsOf(publisher, events, servers)),
    ...(webhooks ? [webhookChannel(events)] : []),
  ]
  return {
    asyncapi: '3.0.0',
    info,
    defaultContentType: 'application/json',
    ...(servers !== undefined && { servers }),
    channels: Object.fromEntries(channels.map(({ id, channel }) => [id, channel])),
    operations: Object.fromEntries(
      channels.map(({ id, channel, summary, bindings }) => [
        `send.${id}`,
        {
          action: 'send',
          summary,
          channel: { $ref: `#/channels/${pointer(id)}` },
          messages: Object.keys(channel.messages).map((type) => ({
            $ref: `#/channels/${pointer(id)}/messages/${pointer(type)}`,
          })),
          ...(bindings !== undefined && { bindings }),
        },
      ]),
    ),
    ...(schemas !== undefined && { components: { schemas } }),
  }
}

interface Channel {
  readonly id: string
  readonly channel: { readonly messages: JsonObject } & JsonObject
  /** What the application does on the channel. */
  readonly summary: string
  readonly bindings?: JsonObject
}

/** Events that go to the same address share a channel. */
function channelsOf(
  publisher: PublisherDescription,
  events: readonly ResolvedEvent[],
  servers: DescribeEventsOptions['servers'],
): Channel[] {
  const { name, protocol, address, exchange } = publisher
  const byAddress = new Map<string, ResolvedEvent[]>()
  for (const event of events) {
    const at = typeof address === 'string' ? address : address(event.type)
    if (typeof at !== 'string' || at === '') {
      throw new OptionsError(
        `publishers: address of "${name}" is ${JSON.stringify(at)} for "${event.type}"; return where the publisher sends it.`,
      )
    }
    byAddress.set(at, [...(byAddress.get(at) ?? []), event])
  }
  const own = Object.entries(servers ?? {}).filter(([, server]) => server.protocol === protocol)
  return [...byAddress].map(([at, sent]) => ({
    id: byAddress.size === 1 ? name : `${name}.${at}`,
    summary: `Sends events at least once, ${orderOn(protocol, at)}.`,
    channel: {
      address: at,
      ...(own.length > 0 && {
        servers: own.map(([server]) => ({ $ref: `#/servers/${pointer(server)}` })),
      }),
      messages: Object.fromEntries(
        sent.map((event) => [event.type, publishedMessage(event, protocol)]),
      ),
      ...(exchange !== undefined && {
        bindings: {
          amqp: { is: 'routingKey', exchange: { name: exchange }, bindingVersion: '0.3.0' },
        },
      }),
    },
  }))
}

/** A bus of EventBridge has no order; a queue or topic of AWS has one if its name ends so. */
function orderOn(protocol: BrokerProtocol, address: string): string {
  const isUnordered =
    protocol === 'eventbridge' ||
    ((protocol === 'sqs' || protocol === 'sns') && !address.endsWith('.fifo'))
  return isUnordered ? 'in any order' : 'in order for each `partitionkey`'
}

function webhookChannel(events: readonly ResolvedEvent[]): Channel {
  const properties = Object.fromEntries(
    webhookHeaders.map(({ name, description, schema }) => [name, { ...schema, description }]),
  )
  const headers = { type: 'object', required: Object.keys(properties), properties }
  return {
    id: 'webhooks',
    summary: 'Posts events to the URL of each endpoint that wants them, signed, at least once.',
    bindings: { http: { method: 'POST', bindingVersion: '0.3.0' } },
    channel: {
      // Not known before an endpoint is registered.
      address: null,
      messages: Object.fromEntries(
        events.map((event) => [
          event.type,
          {
            name: event.type,
            summary: event.summary,
            contentType: 'application/json',
            headers,
            payload: webhookPayload(event),
          },
        ]),
      ),
    },
  }
}

function checkPublishers(publishers: readonly PublisherDescription[], webhooks: boolean): void {
  if (publishers.length === 0 && !webhooks) {
    throw new OptionsError(
      "describeEvents: the events go nowhere. Write publishers: [{ name: 'kafka', protocol: 'kafka', address: 'orders' }], or webhooks: true.",
    )
  }
  for (const { name, protocol } of publishers) {
    if (!protocols.includes(protocol)) {
      throw new OptionsError(
        `publishers: protocol of "${name}" is ${JSON.stringify(protocol)}; write one of ${protocols.join(', ')}.`,
      )
    }
  }
  const names = publishers.map(({ name }) => name)
  for (const [at, name] of names.entries()) {
    if (!/^[\w-]+$/.test(name) || name === 'webhooks' || names.indexOf(name) !== at) {
      throw new OptionsError(
        `publishers: ${JSON.stringify(name)} cannot be a name here; give each publisher its own, of letters, digits, '-' and '_', and none is 'webhooks'.`,
      )
    }
  }
}

/** Escapes a name for a JSON pointer, which is part of a URL. */
const pointer = (name: string): string =>
  encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))
