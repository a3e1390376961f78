/**
 * The limits that every log and publisher can carry. `emit()` checks them, because the line at
 * fault is still in the stack there.
 */
const MOST_BYTES = { type: 255, subject: 1_024, orderingKey: 1_024, source: 2_048 } as const
const MOST_HEADERS_BYTES = 8_192
const MOST_DATA_BYTES = 2 * 1_048_576

/** Returns what is wrong with one of an event's attributes, or `undefined`. */
export function attributeFault(name: keyof typeof MOST_BYTES, value: string): string | undefined {
  const bytes = Buffer.byteLength(value)
  if (bytes > MOST_BYTES[name]) {
    return `is ${bytes} bytes long, and may be ${MOST_BYTES[name]}: a log finds events by it. Put long text into \`data\``
  }
  if (CONTROL.test(value)) return 'has a control character in it'
  if (name === 'type' && value.includes('*')) return "has a '*' in it, which stands for any type"
  if (name === 'source' && !URI_REFERENCE.test(value)) {
    return "is no URI reference, such as '/shop/orders' or 'https://shop.example/orders'"
  }
  return undefined
}

/**
 * Returns what is wrong with a header: HTTP, NATS, Kafka and RabbitMQ must all accept its name and
 * value.
 */
export function headerFault(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) return "is no name of a header: letters, digits and any of !#$%&'*+-.^_`|~"
  if (CONTROL.test(value)) return 'has a control character in its value'
  if (value !== value.trim())
    return 'has a space at an end of its value, which not every broker keeps'
  return undefined
}

export function sizeFault(
  data: string,
  headers: Readonly<Record<string, string>>,
): string | undefined {
  const dataBytes = Buffer.byteLength(data)
  if (dataBytes > MOST_DATA_BYTES) {
    return `\`data\` is ${dataBytes} bytes as JSON, and may be ${MOST_DATA_BYTES}: keep it elsewhere, and emit where it is`
  }
  const headersBytes = Buffer.byteLength(JSON.stringify(headers))
  if (headersBytes > MOST_HEADERS_BYTES) {
    return `its headers are ${headersBytes} bytes together, and may be ${MOST_HEADERS_BYTES}`
  }
  return undefined
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const URI_REFERENCE = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
