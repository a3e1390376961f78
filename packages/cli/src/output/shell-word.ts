/**
 * Quotes a text so that a shell takes it as one argument, whatever it contains. For commands that a
 * person may copy.
 */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
