import { isJson, parseJson, type Json } from '../wire/json.js';
import { event, type Dialect, type ModelAnswer } from './dialect.js';
import { textOf, type ModelMessage, type ToolCall } from './request.js';

/** Chat completions, as OpenAI and everything compatible speak it. https://platform.openai.com/docs/api-reference/chat */
export const openAiChat: Dialect = {
  api: 'openai-chat',

  parse: (body) => ({
    model: String(body['model'] ?? ''),
    messages: list(body['messages']).map(message),
    tools: list(body['tools']).map((tool) => String((isJson(tool['function']) ? tool['function'] : {})['name'])),
    stream: body['stream'] === true,
    usage: isJson(body['stream_options']) && body['stream_options']['include_usage'] === true,
    user: typeof body['user'] === 'string' ? body['user'] : undefined,
  }),

  whole: (answer) => ({
    ...head(answer, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text || null,
          ...(answer.toolCalls.length > 0 && { tool_calls: answer.toolCalls.map(toolCall) }),
        },
        finish_reason: finish(answer),
      },
    ],
    usage: usage(answer),
  }),

  frames: (answer, request) => {
    const chunk = (delta: Json, reason: string | null = null): string =>
      event({ ...head(answer, 'chat.completion.chunk'), choices: [{ index: 0, delta, finish_reason: reason }] });
    return {
      begin: [chunk({ role: 'assistant', content: '' })],
      token: (token) => chunk({ content: token }),
      end: [
        ...answer.toolCalls.map((call, index) => chunk({ tool_calls: [{ index, ...toolCall(call) }] })),
        chunk({}, finish(answer)),
        ...(request.usage ? [event({ ...head(answer, 'chat.completion.chunk'), choices: [], usage: usage(answer) })] : []),
        event('[DONE]'),
      ],
    };
  },

  failure: (status, message) => ({
    error: {
      message,
      type: status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error',
      param: null,
      code: null,
    },
  }),
};

function message(raw: Json): ModelMessage {
  const role = raw['role'] === 'developer' ? 'system' : (raw['role'] as ModelMessage['role']);
  const calls = list(raw['tool_calls']).map((call): ToolCall => {
    const inner = isJson(call['function']) ? call['function'] : {};
    const parsed = parseJson(String(inner['arguments'] ?? '{}'));
    return { name: String(inner['name']), arguments: isJson(parsed) ? parsed : {} };
  });
  return { role, text: textOf(raw['content']), ...(calls.length > 0 && { toolCalls: calls }) };
}

function head(answer: ModelAnswer, object: string): Json {
  return { id: `chatcmpl-${answer.id}`, object, created: answer.created, model: answer.model };
}

function toolCall(call: ModelAnswer['toolCalls'][number]): Json {
  return { id: call.id, type: 'function', function: { name: call.name, arguments: JSON.stringify(call.arguments) } };
}

function finish(answer: ModelAnswer): string {
  return answer.toolCalls.length > 0 ? 'tool_calls' : 'stop';
}

function usage(answer: ModelAnswer): Json {
  const { inputTokens, outputTokens } = answer;
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}
