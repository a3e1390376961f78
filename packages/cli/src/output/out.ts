import { json } from './json.ts'
import { type Page, type PageStyle, writePage } from './page.ts'

/** Where results go: a page for people, or JSON. */
export interface Out {
  readonly isJson: boolean
  /** The whole result: one JSON document, or a page. */
  result(document: unknown, page: (page: Page) => void): Promise<void>
  /** One of many, as they come: a line of NDJSON, or a part of a page. */
  item(document: unknown, page: (page: Page) => void): Promise<void>
  /** Text that is the same for people and programs, such as SQL. */
  raw(text: string | Uint8Array): Promise<void>
  /** How it goes, on stderr, and not at all with `--json`. */
  progress(text: string): void
}

export function output(of: {
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly isJson: boolean
  readonly style: PageStyle
}): Out {
  const { stdout, stderr, isJson, style } = of
  return {
    isJson,
    result: (document, page) =>
      written(stdout, isJson ? `${json(document, 2)}\n` : writePage(style, page)),
    item: (document, page) =>
      written(stdout, isJson ? `${json(document, undefined)}\n` : writePage(style, page)),
    raw: (text) => written(stdout, text),
    progress(text) {
      if (!isJson) stderr.write(`${text}\n`)
    },
  }
}

/** Done once the bytes are the system's: what comes next may end the process. */
function written(stream: NodeJS.WritableStream, text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()))
  })
}
