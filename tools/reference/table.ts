/** Rows of a Markdown table; cells may have any text. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

const escaped = (cell: string): string => cell.replace(/(?<!\\)\|/g, '\\|').replaceAll('\n', ' ')

export const code = (text: string): string => (text === '' ? '' : `\`${text}\``)

/** The heading of a generated page, with a note about which command writes it. */
export function head(title: string, ...paragraphs: readonly string[]): string {
  return [`# ${title}`, '<!-- Written by `npx -y pnpm@12 reference`. -->', ...paragraphs].join(
    '\n\n',
  )
}
