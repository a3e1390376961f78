import { BadInput, type Described, type Form } from './route.ts'

/**
 * Reads the fields of a form, or of a JSON object of texts. At most 1 MiB. A field that the act
 * does not take is refused, as is an empty one that says what is meant: to ignore either would make
 * the act take more than was meant, or another thing.
 */
export async function formOf(
  request: Request,
  takes: Readonly<Record<string, Described>>,
): Promise<Form> {
  const fields = await fieldsOf(request)
  for (const [name, value] of fields) checkField(name, value, takes)
  const optional = (name: string): string | undefined => fields.get(name) || undefined
  return {
    optional,
    text(name) {
      const value = fields.get(name)
      if (value === undefined) throw new BadInput(`\`${name}\` is missing.`)
      return value
    },
  }
}

function checkField(name: string, value: string, takes: Readonly<Record<string, Described>>): void {
  const described = Object.hasOwn(takes, name) ? takes[name] : undefined
  if (described === undefined) {
    const names = Object.keys(takes).join(', ')
    throw new BadInput(`There is no field \`${name}\` here. There are ${names}. Nothing was done.`)
  }
  if (described.narrows !== true || value.trim() !== '') return
  throw new BadInput(`\`${name}\` is empty: say what is meant, or leave it out. Nothing was done.`)
}

async function fieldsOf(request: Request): Promise<ReadonlyMap<string, string>> {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  const text = await textOf(request)
  if (type === 'application/x-www-form-urlencoded') return fieldsOnce(new URLSearchParams(text))
  if (type !== 'application/json') {
    throw new BadInput(
      `Send a form (application/x-www-form-urlencoded) or JSON (application/json), not ${type ?? 'a body without a type'}.`,
    )
  }
  const parsed = parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new BadInput('Send a JSON object whose values are texts.')
  }
  const values = Object.entries(parsed).map(([name, value]) => [name, textOfValue(name, value)])
  // Checked first: of a name that is given twice, JSON.parse keeps only the last value.
  fieldsOnce(namesIn(text).map((name) => [name, '']))
  return new Map(values as [string, string][])
}

/**
 * A number or a boolean is taken for the text that it stands for. Others would become a text that
 * nobody meant: the id 9007199254740993 that of another letter, an object "[object Object]".
 */
function textOfValue(name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value)
  if (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER) return String(value)
  throw new BadInput(`\`${name}\` must be a text: write it in quotes. Nothing was done.`)
}

/**
 * The names in a JSON object whose values are no objects, as often as they are given. Others may
 * see the first of two, such as a proxy that decides by it what to let through.
 */
function namesIn(json: string): string[] {
  const texts = json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?/g)
  return [...texts].flatMap(([, text, colon]) =>
    colon === undefined ? [] : [JSON.parse(`${text}`)],
  )
}

function fieldsOnce(pairs: Iterable<readonly [string, string]>): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const [name, value] of pairs) {
    if (fields.has(name)) throw new BadInput(`\`${name}\` is given twice. Nothing was done.`)
    fields.set(name, value)
  }
  return fields
}

/**
 * What is too much is read all the same, and thrown away: what is left in a connection keeps the
 * requests behind it from being answered. From 32 MiB on it is left.
 */
async function textOf({ body }: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size <= MOST_BYTES) chunks.push(chunk)
    if (size <= MOST_READ) continue
    // A stream that Node's `Readable.toWeb` made must not be cancelled in the turn in which it was
    // read: it may still be about to pass on data, and throws where nobody can catch the error.
    await new Promise((resolve) => setTimeout(resolve, 0))
    break
  }
  if (size > MOST_BYTES) throw new BadInput(`At most ${MOST_BYTES} bytes are taken.`)
  return Buffer.concat(chunks).toString()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new BadInput('The body is not JSON.')
  }
}

const MOST_BYTES = 1024 * 1024
const MOST_READ = 32 * MOST_BYTES
