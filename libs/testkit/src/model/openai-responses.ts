import { isJson, parseJson, type Json } from '../wire/json.js';
import { event, type Dialect, type ModelAnswer } from './dialect.js';
import { openAiChat } from './openai-chat.js';
import { textOf, type ModelMessage } from './request.js';

/** OpenAI's Responses API. https://platform.openai.com/docs/api-reference/responses */
export const openAiResponses: Dialect = {
  api: 'openai-responses',

  parse: (body) => ({
    model: String(body['model'] ?? ''),
    messages: [
      ...(typeof body['instructions'] === 'string' ? [{ role: 'system' as const, text: body['instructions'] }] : []),
      ...(typeof body['input'] === 'string' ? [{ role: 'user' as const, text: body['input'] }] : items(body['input']).map(message)),
    ],
    tools: items(body['tools']).map((tool) => String(tool['name'])),
    stream: body['stream'] === true,
    usage: true,
    user: typeof body['user'] === 'string' ? body['user'] : undefined,
  }),

  whole: (answer) => response(answer, 'completed', output(answer)),

  frames: (answer) => {
    let sequence = 0;
    const numbered = (type: string, data: Json): string => event({ type, sequence_number: sequence++, ...data }, type);
    const text = { item_id: messageId(answer), output_index: 0, content_index: 0 };
    const textItem = answer.text ? output(answer)[0] : undefined;
    return {
      begin: [
        numbered('response.created', { response: response(answer, 'in_progress', []) }),
        ...(textItem
          ? [numbered('response.output_item.added', { output_index: 0, item: { ...textItem, status: 'in_progress', content: [] } })]
          : []),
      ],
      token: (token) => numbered('response.output_text.delta', { ...text, delta: token, logprobs: [] }),
      get end() {
        const calls = output(answer).slice(textItem ? 1 : 0);
        return [
          ...(textItem ? [numbered('response.output_item.done', { output_index: 0, item: textItem })] : []),
          ...calls.flatMap((item, index) => {
            const place = { output_index: index + (textItem ? 1 : 0) };
            return [
              numbered('response.output_item.added', { ...place, item: { ...item, arguments: '', status: 'in_progress' } }),
              numbered('response.function_call_arguments.delta', { ...place, item_id: item['id'], delta: item['arguments'] }),
              numbered('response.output_item.done', { ...place, item }),
            ];
          }),
          numbered('response.completed', { response: response(answer, 'completed', output(answer)) }),
        ];
      },
    };
  },

  failure: openAiChat.failure,
};

function message(item: Json): ModelMessage {
  if (item['type'] === 'function_call_output') return { role: 'tool', text: textOf(item['output']) };
  if (item['type'] === 'function_call') {
    const parsed = parseJson(String(item['arguments'] ?? '{}'));
    return { role: 'assistant', text: '', toolCalls: [{ name: String(item['name']), arguments: isJson(parsed) ? parsed : {} }] };
  }
  const role = item['role'] === 'developer' ? 'system' : (item['role'] as ModelMessage['role']);
  return { role, text: textOf(item['content']) };
}

function response(answer: ModelAnswer, status: string, items: readonly Json[]): Json {
  const { inputTokens, outputTokens } = answer;
  return {
    id: `resp_${answer.id}`,
    object: 'response',
    created_at: answer.created,
    status,
    model: answer.model,
    error: null,
    incomplete_details: null,
    output: items,
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + outputTokens,
    },
  };
}

function output(answer: ModelAnswer): Json[] {
  const text = { type: 'output_text', text: answer.text, annotations: [], logprobs: [] };
  return [
    ...(answer.text ? [{ type: 'message', id: messageId(answer), status: 'completed', role: 'assistant', content: [text] }] : []),
    ...answer.toolCalls.map((call) => ({
      type: 'function_call',
      id: `fc_${call.id}`,
      call_id: call.id,
      name: call.name,
      arguments: JSON.stringify(call.arguments),
      status: 'completed',
    })),
  ];
}

function messageId(answer: ModelAnswer): string {
  return `msg_${answer.id}`;
}

function items(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}
