import { OptionsError, wholeMs } from '@oncekey/core'
import type { Consumer } from '../consumer/consumer.ts'
import type { DeliveredEvent } from '../consumer/delivered-event.ts'
import { PermanentError } from '../consumer/permanent-error.ts'
import { awsError, isPermanent } from './aws-failures.ts'
import { destinationFrom } from './destination-option.ts'
import {
  MISSING_FOR_MS,
  type MissingSettings,
  type PublisherSettings,
  publisher,
} from './publisher.ts'
import { type SendFailures, sharedSends } from './shared-sends.ts'

/** The options of the publishers for AWS. */
export interface AwsSettings extends PublisherSettings, MissingSettings {
  /** The most messages in one request: from 1 to 10. @default 10 */
  readonly batchSize?: number
}

export interface AwsPublishing<Message> {
  /** The function that the app called, for error messages. */
  readonly verb: string
  /** The name of the option for the destination, and what the service calls a destination. */
  readonly option: string
  readonly noun: string
  readonly destination: string | ((event: DeliveredEvent) => string)
  readonly isDestination: (name: string) => boolean
  /** A destination, for error messages. */
  readonly example: string
  readonly client: unknown
  /** The class of the client, for error messages. */
  readonly clientClass: string
  readonly maxRequestBytes: number
  readonly messageOf: (event: DeliveredEvent, to: string) => Message
  /** One request. Resolves to the failures of single messages. */
  readonly request: (
    to: string,
    messages: readonly Message[],
    signal: AbortSignal,
  ) => Promise<SendFailures<Message>>
}

/** Creates a publisher for a service of AWS that takes up to ten messages in a request. */
export function awsPublisher<Tx, Message extends { readonly bytes: number }>(
  { batchSize = MOST_ENTRIES, missingForMs = MISSING_FOR_MS, ...settings }: AwsSettings,
  publishing: AwsPublishing<Message>,
): Consumer<Tx> {
  check(publishing, batchSize)
  const { verb, option, noun, destination, maxRequestBytes, messageOf, request } = publishing
  const send = sharedSends<Message>({
    batchSize,
    maxBytes: maxRequestBytes,
    bytesOf: ({ bytes }) => bytes,
    isPermanent,
    async send(to, messages, signal) {
      try {
        return await request(to, messages, signal)
      } catch (error) {
        throw awsError(error, `${noun} "${to}"`)
      }
    },
  })
  return publisher<Tx>(settings, {
    isForOne: typeof destination === 'string',
    isPermanent,
    // Always false: the errors that pass are about rights, quotas or the network, and do not say
    // whether other destinations have them too.
    isOfDestination: () => false,
    missingForMs: wholeMs(`${verb}: missingForMs`, missingForMs, 0),
    prepare(event) {
      const to = destinationFrom(`${verb}: ${option}`, destination, event)
      if (typeof to !== 'string' || !publishing.isDestination(to)) {
        const shown = JSON.stringify(to)
        throw new PermanentError(`${verb}: ${shown} is no ${option} (event "${event.type}").`)
      }
      const message = messageOf(event, to)
      if (message.bytes > maxRequestBytes) {
        throw new PermanentError(
          `${verb}: the message is ${message.bytes} bytes, and a request may be ` +
            `${maxRequestBytes} (maxRequestBytes). Keep large data elsewhere, and emit where it is.`,
        )
      }
      return { to, send: (...left) => send(to, message, ...left) }
    },
  })
}

function check(
  of: Pick<
    AwsPublishing<never>,
    | 'verb'
    | 'option'
    | 'destination'
    | 'isDestination'
    | 'example'
    | 'client'
    | 'clientClass'
    | 'maxRequestBytes'
  >,
  batchSize: number,
): void {
  const { verb, option, destination, isDestination, example, client, clientClass } = of
  const wrong = (what: string) => new OptionsError(`${verb}: ${what}.`)
  if (typeof (client as { send?: unknown } | undefined)?.send !== 'function') {
    throw wrong(`client is missing. Write \`client: new ${clientClass}({})\``)
  }
  const isName = typeof destination === 'string' && isDestination(destination)
  if (typeof destination !== 'function' && !isName) {
    throw wrong(`${option} must be such as '${example}', or a function that returns one`)
  }
  if (!(Number.isInteger(batchSize) && batchSize >= 1 && batchSize <= MOST_ENTRIES)) {
    throw wrong(`batchSize must be a whole number from 1 to 10, not ${String(batchSize)}`)
  }
  if (!(Number.isInteger(of.maxRequestBytes) && of.maxRequestBytes >= 1)) {
    throw wrong(`maxRequestBytes must be a whole number, not ${String(of.maxRequestBytes)}`)
  }
}

/** The services' own limit. */
const MOST_ENTRIES = 10
