import { readFileSync } from 'node:fs'
import { type Comment, parseSync } from 'oxc-parser'

/** A member of an interface, from its declaration and its docstring. */
export interface Member {
  readonly name: string
  readonly type: string
  readonly isOptional: boolean
  /** Whether it is declared as a method: what a caller has no value for. */
  readonly isMethod: boolean
  /** The docstring in one line, without its tags; empty if there is none. */
  readonly text: string
  /** The text of `@default`. */
  readonly byDefault: string | undefined
}

export interface InterfaceDocs {
  readonly text: string
  /** What it extends, as written. */
  readonly parents: readonly string[]
  readonly members: readonly Member[]
}

/** An interface of a file, or `undefined` if the file has none of that name. */
export function interfaceDocs(file: string, name: string): InterfaceDocs | undefined {
  const source = readFileSync(file, 'utf8')
  const { program, comments } = parseSync(file, source)
  const docAbove = (start: number): Doc => docBefore(source, comments, start)
  for (const node of program.body) {
    const declared = node.type === 'ExportNamedDeclaration' ? node.declaration : node
    if (declared?.type !== 'TSInterfaceDeclaration' || declared.id.name !== name) continue
    return {
      text: docAbove(node.start).text,
      parents: declared.extends.map(({ start, end }) => oneLine(source.slice(start, end))),
      members: declared.body.body.flatMap((member) => {
        if (member.type !== 'TSPropertySignature' && member.type !== 'TSMethodSignature') return []
        const key = source.slice(member.key.start, member.key.end)
        const declaredAs = withoutComments(source, comments, member.key.end, member.end)
        return [
          {
            name: key.replaceAll("'", ''),
            isOptional: member.optional,
            isMethod: member.type === 'TSMethodSignature',
            type: oneLine(declaredAs.replace(/^\?/, '').replace(/^:\s*(\|\s)?/, '')),
            ...docAbove(member.start),
          },
        ]
      }),
    }
  }
  return undefined
}

export interface AliasDocs {
  /** The names of its type parameters, as in `<Result>`; empty if it has none. */
  readonly parameters: string
  readonly type: string
  /** The sentences above it. */
  readonly text: string
}

/** A type alias of a file and the sentence above it, or `undefined` if it has none of that name. */
export function aliasDocs(file: string, name: string): AliasDocs | undefined {
  const source = readFileSync(file, 'utf8')
  const { program, comments } = parseSync(file, source)
  for (const node of program.body) {
    const declared = node.type === 'ExportNamedDeclaration' ? node.declaration : node
    if (declared?.type !== 'TSTypeAliasDeclaration' || declared.id.name !== name) continue
    const { start, end } = declared.typeAnnotation
    const parameters = declared.typeParameters?.params.map((one) => one.name.name) ?? []
    return {
      parameters: parameters.length === 0 ? '' : `<${parameters.join(', ')}>`,
      type: oneLine(withoutComments(source, comments, start, end)).replace(/^\| /, ''),
      text: docBefore(source, comments, node.start).text,
    }
  }
  return undefined
}

/** The docstring directly above a place of the source. */
function docBefore(source: string, comments: readonly Comment[], start: number): Doc {
  const above = comments.findLast(({ end }) => end <= start)
  const isAdjacent = above !== undefined && source.slice(above.end, start).trim() === ''
  return isAdjacent && above.type === 'Block'
    ? docOf(above.value)
    : { text: '', byDefault: undefined }
}

/** A part of the source without its comments, which are for readers of the source. */
function withoutComments(
  source: string,
  comments: readonly Comment[],
  from: number,
  to: number,
): string {
  const inside = comments.filter(({ start, end }) => start >= from && end <= to)
  return inside.reduceRight(
    (text, { start, end }) => text.slice(0, start - from) + text.slice(end - from),
    source.slice(from, to),
  )
}

type Doc = Pick<Member, 'text' | 'byDefault'>

/**
 * The text of `@default` ends at the next tag. Other tags are left out: they are for readers of the
 * source.
 */
function docOf(comment: string): Doc {
  const text = oneLine(comment.replace(/^\s*\* ?/gm, ' ').replace(/^\*/, ''))
  const [sentences = '', ...tags] = ` ${text}`.split(/ (?=@[a-z]+ )/)
  const byDefault = tags.find((tag) => tag.startsWith('@default '))?.slice('@default '.length)
  return { text: sentences.trim().replace(/\{@link ([\w.]+)\}/g, '`$1`'), byDefault }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()
